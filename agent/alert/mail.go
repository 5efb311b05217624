package alert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
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

// Send hands one mail to the server.
func (m Mail) Send(ctx context.Context, n Notice) error {
	client, err := m.client()
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name(), err)
	}
	letter, err := m.letter(n)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name(), err)
	}
	if err := client.DialAndSendWithContext(ctx, letter); err != nil {
		return fmt.Errorf("%s: %s", m.Name(), strings.Join(strings.Fields(err.Error()), " "))
	}
	return nil
}

func (m Mail) client() (*mail.Client, error) {
	host, portText, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(sendTimeout / 2),
		mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12}),
	}
	switch m.TLS {
	case TLSImplicit:
		options = append(options, mail.WithSSL())
	case TLSNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.Username != "" {
		password, err := m.Password()
		if err != nil {
			return nil, err
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.Username), mail.WithPassword(password))
	}
	return mail.NewClient(host, options...)
}

func (m Mail) letter(n Notice) (*mail.Msg, error) {
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := letter.From(m.From); err != nil {
		return nil, err
	}
	if err := letter.To(m.To...); err != nil {
		return nil, err
	}
	letter.Subject(n.subject())
	letter.SetDateWithValue(n.Time.Time)
	// The same id for each try, so that a mailbox can know a mail again.
	_, domain, _ := strings.Cut(m.From, "@")
	letter.SetMessageIDWithValue(n.ID + "@" + strings.TrimRight(domain, "> "))
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	letter.SetBodyString(mail.TypeTextPlain, n.body())
	return letter, nil
}
