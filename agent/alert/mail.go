package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"slices"
	"strings"
	"time"
)

// The values of [Mail.TLS].
const (
	TLSStart    = "starttls" // required: a server without it gets nothing
	TLSImplicit = "implicit"
	TLSNone     = "none"
)

// Mail sends notices as e-mails, one to all.
type Mail struct {
	Server   string // host:port
	TLS      string
	Roots    *x509.CertPool // nil: the system's
	Username string         // "": it does not sign in
	Password func() (string, error)
	From     string
	To       []string
}

var _ Way = Mail{}

// Name is the server's address.
func (m Mail) Name() string { return "mail " + m.Server }

// Receivers are the addresses of To.
func (m Mail) Receivers() []string { return m.To }

// Send hands one mail to the server.
func (m Mail) Send(ctx context.Context, n Notice, to []string) error {
	m.To = to
	if err := m.send(ctx, n); err != nil {
		return fmt.Errorf("%s: %s", m.Name(), strings.Join(strings.Fields(err.Error()), " "))
	}
	return nil
}

func (m Mail) send(ctx context.Context, n Notice) error {
	from, to, err := m.addresses()
	if err != nil {
		return err
	}
	c, err := m.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := m.signIn(c); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	for _, a := range to {
		if err := c.Rcpt(a.Address); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if err := errors.Join(letter(w, n, from, to), w.Close()); err != nil {
		return err
	}
	_ = c.Quit() // the mail is taken, whatever the server says now
	return nil
}

func (m Mail) addresses() (from *mail.Address, to []*mail.Address, err error) {
	if from, err = mail.ParseAddress(m.From); err != nil {
		return nil, nil, fmt.Errorf("sender: %w", err)
	}
	for _, text := range m.To {
		a, err := mail.ParseAddress(text)
		if err != nil {
			return nil, nil, fmt.Errorf("recipient: %w", err)
		}
		to = append(to, a)
	}
	return from, to, nil
}

// dial begins a conversation, with TLS where it is asked for. It ends with ctx,
// and after half of the time that a notice may take.
func (m Mail) dial(ctx context.Context) (*smtp.Client, error) {
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(sendTimeout / 2)
	if by, ok := ctx.Deadline(); ok && by.Before(end) {
		end = by
	}
	conn, err := (&net.Dialer{Deadline: end}).DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(end); err != nil {
		conn.Close()
		return nil, err
	}
	settings := &tls.Config{ServerName: host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12}
	if m.TLS == TLSImplicit {
		conn = tls.Client(conn, settings)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if m.TLS == TLSImplicit || m.TLS == TLSNone {
		return c, nil
	}
	if has, _ := c.Extension("STARTTLS"); !has {
		_ = c.Close() // nothing was sent
		return nil, errors.New(`the server has no STARTTLS: use tls = "implicit", mostly at port 465`)
	}
	if err := c.StartTLS(settings); err != nil {
		_ = c.Close() // nothing was sent
		return nil, err
	}
	return c, nil
}

// signIn uses a way that the server offers: the plain ones where TLS hides the
// password, since many servers offer CRAM-MD5 and cannot do it.
func (m Mail) signIn(c *smtp.Client) error {
	if m.Username == "" {
		return nil
	}
	password, err := m.Password()
	if err != nil {
		return err
	}
	_, offered := c.Extension("AUTH")
	host, _, _ := net.SplitHostPort(m.Server) // dial has read it
	ways := strings.Fields(strings.ToUpper(offered))
	switch {
	case slices.Contains(ways, "CRAM-MD5") && (m.TLS == TLSNone || len(ways) == 1):
		return c.Auth(smtp.CRAMMD5Auth(m.Username, password))
	case slices.Contains(ways, "PLAIN"):
		return c.Auth(smtp.PlainAuth("", m.Username, password, host))
	case slices.Contains(ways, "LOGIN"):
		return c.Auth(login{m.Username, password})
	}
	return errors.New("the server offers none of PLAIN, LOGIN and CRAM-MD5")
}

// login is the way of older servers: no standard, but some offer nothing else.
type login struct{ username, password string }

var _ smtp.Auth = login{}

// Start refuses to send a password in the clear.
func (login) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if ip := net.ParseIP(s.Name); !s.TLS && s.Name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", nil, errors.New("the connection is not encrypted, so no password is sent")
	}
	return "LOGIN", nil, nil
}

// Next answers the server's two questions.
func (l login) Next(question []byte, more bool) ([]byte, error) {
	switch q := strings.ToLower(strings.TrimRight(string(question), " :")); {
	case !more:
		return nil, nil
	case q == "username" || q == "user name":
		return []byte(l.username), nil
	case q == "password":
		return []byte(l.password), nil
	}
	return nil, errors.New("the server asks for neither user name nor password")
}

// letter writes the mail that n is.
func letter(w io.Writer, n Notice, from *mail.Address, to []*mail.Address) error {
	var names []string
	for _, a := range to {
		names = append(names, a.String())
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", strings.Join(names, ",\r\n ")},
		{"Subject", mime.QEncoding.Encode("utf-8", n.subject())},
		{"Date", n.Time.Format(time.RFC1123Z)},
		{"Message-ID", "<" + n.ID + "@" + domain + ">"}, // the same for each try, so that a mailbox can know a mail again
		{"Auto-Submitted", "auto-generated"},            // RFC 3834: no out-of-office answers
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b)
	if _, err := io.WriteString(body, n.body()); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}
