package alert

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

func notice() Notice {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	n := Notice{Time: status.At(at), Open: 1, Events: []Event{
		{Event: EventNew, Kind: KindLink, Analyzer: "xn", Level: status.LevelWarn, Text: "xn is not connected", Todo: "Check its cable.", Since: status.At(at)},
		{Event: EventOver, Kind: KindSpool, Level: status.LevelBad, Text: "New results cannot be stored", Since: status.At(at), Until: status.At(at)},
	}}
	n.signedBy("core-lab-1", "0.1.0", at, 7)
	return n
}

// mailServer answers one conversation after the other, and hands the mails out.
// With a word in refuse it refuses that command.
func mailServer(t *testing.T, refuse string) (address string, mails <-chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			converse(c, refuse, got)
		}
	}()
	return l.Addr().String(), got
}

func converse(c net.Conn, refuse string, got chan<- string) {
	defer c.Close()
	in := bufio.NewScanner(c)
	fmt.Fprint(c, "220 fake\r\n")
	var text []string
	for data := false; in.Scan(); {
		line := strings.TrimRight(in.Text(), "\r")
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		text = append(text, line)
		switch {
		case data && line == ".":
			data = false
			got <- strings.Join(text, "\n")
			fmt.Fprint(c, "250 taken\r\n")
		case data:
		case verb == refuse:
			fmt.Fprint(c, "550 not you\r\n")
		case verb == "DATA":
			data = true
			fmt.Fprint(c, "354 go on\r\n")
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

func TestMail(t *testing.T) {
	address, mails := mailServer(t, "")
	m := Mail{Server: address, TLS: TLSNone, From: "Lab <lab@example.org>", To: []string{"a@example.org", "b@example.org"}}
	n := notice()
	if err := m.Send(t.Context(), n, m.To); err != nil {
		t.Fatal(err)
	}
	mail := <-mails
	for _, want := range []string{
		"MAIL FROM:<lab@example.org>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>", "Subject: [labcourier core-lab-1] 1 new problem, 1 over",
		"Message-ID: <" + n.ID + "@example.org>", "Auto-Submitted: auto-generated",
		"* xn is not connected.", "Since 2026-11-22T09:00:00Z. Check its cable.", "* Over: New results cannot be stored.", "1 problem lasts.",
	} {
		if !strings.Contains(mail, want) {
			t.Errorf("the mail lacks %q:\n%s", want, mail)
		}
	}
}

func TestMailRefused(t *testing.T) {
	for _, c := range []struct{ refuse, tls, want string }{
		{"MAIL", TLSNone, "not you"},
		{"RCPT", TLSNone, "not you"},
		{"DATA", TLSNone, "not you"},
		{"", TLSStart, "STARTTLS"}, // nothing goes in clear text where TLS is wanted
	} {
		address, mails := mailServer(t, c.refuse)
		m := Mail{Server: address, TLS: c.tls, From: "lab@example.org", To: []string{"a@example.org"}}
		err := m.Send(t.Context(), notice(), m.To)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), address) || len(mails) > 0 {
			t.Errorf("%s %s: %v", c.refuse, c.tls, err)
		}
	}
}

// certificate writes one for this computer, with its key, and trusts it.
func certificate(t *testing.T) (file string, roots *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	file = filepath.Join(t.TempDir(), "pair.pem")
	if err := os.WriteFile(file, append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), 0o600); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return file, roots
}

// TestMailServerWeDidNotWrite hands mails to npm's smtp-server, by STARTTLS and by
// implicit TLS, signed in.
func TestMailServerWeDidNotWrite(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of smtp-server")
	}
	for _, how := range []string{TLSStart, TLSImplicit} {
		t.Run(how, func(t *testing.T) {
			pem, roots := certificate(t)
			cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "smtp.cjs"), modules, pem, how)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			said := bufio.NewScanner(out)
			if !said.Scan() {
				t.Fatal("it does not start")
			}
			password := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
			m := Mail{Server: "127.0.0.1:" + said.Text(), TLS: how, Roots: roots, Username: "lab", Password: password("geheim"),
				From: "lab@example.org", To: []string{"a@example.org", "b@example.org"}}

			wrong := m
			wrong.Password = password("hunter2")
			if err := wrong.Send(t.Context(), notice(), m.To); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("with the wrong password: %v", err)
			}
			stranger := m
			stranger.Roots = x509.NewCertPool()
			if err := stranger.Send(t.Context(), notice(), m.To); err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("with an unknown certificate: %v", err)
			}
			if err := m.Send(t.Context(), notice(), m.To); err != nil {
				t.Fatal(err)
			}
			var got struct {
				From, User, Mail string
				To               []string
				Secure           bool
			}
			if !said.Scan() || json.Unmarshal(said.Bytes(), &got) != nil {
				t.Fatalf("it got no mail: %s", said.Text())
			}
			if !got.Secure || got.User != "lab" || got.From != m.From || !slices.Equal(got.To, m.To) || !strings.Contains(got.Mail, "xn is not connected") {
				t.Errorf("it got %+v", got)
			}
		})
	}
}
