package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"
)

// answer is an HTTP answer, read as far as it is of interest.
type answer struct {
	status int
	header http.Header
	body   []byte
	tls    *tls.ConnectionState
	middle time.Time // between the request and its answer
}

func send(c *http.Client, req *http.Request) (*answer, error) {
	asked := time.Now()
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	middle := asked.Add(time.Since(asked) / 2)
	body, err := io.ReadAll(io.LimitReader(res.Body, longestRead))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &answer{res.StatusCode, res.Header, body, res.TLS, middle}, nil
}

// isPage reports whether it is for a browser: a portal's or a proxy's.
func (a *answer) isPage() bool {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && kind == "text/html"
}

// unanswered says why a request got no answer.
func (r Report) unanswered(what string, err error) {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		r.wrong("tls", "the "+what+"'s certificate comes from an authority that this computer does not know",
			"if it is the hospital's own, or a proxy's that looks into TLS: put that authority's certificate into a file and name it in ca_file of [server]")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		r.wrong("tls", "the "+what+"'s certificate has expired, or is not good yet: "+validity(invalid.Cert),
			"check this computer's clock; if it is right, the server's owner must renew the certificate")
	case errors.As(err, &invalid):
		r.wrong("tls", "the "+what+"'s certificate is not valid: "+invalid.Error(), "the server's owner must replace it")
	case errors.As(err, &name):
		r.wrong("tls", "the "+what+"'s certificate is for another name", "use the name that the certificate is for; or a proxy stands between")
	case errors.As(err, &record):
		r.wrong("tls", "the "+what+" does not speak TLS at this port", "check the port in the address")
	default:
		if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
			r.wrong("tls", "the "+what+" ends the TLS handshake: "+alert.Err.Error(), "if it wants a client certificate, see cert_file of [server]")
			return
		}
		r.wrong("answer", "the "+what+" does not answer: "+netCause(err), "try again; if it stays so, ask the server's owner")
	}
}

func validity(c *x509.Certificate) string {
	if c == nil {
		return "its dates are not known"
	}
	return fmt.Sprintf("it is for %s to %s", c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
}

// expirySoon is when a certificate's end is worth a warning.
const expirySoon = 21 * 24 * time.Hour

// certificate tells of the chain that an answer came over.
func (r Report) certificate(what string, at *url.URL, a *answer) {
	if a.tls == nil || len(a.tls.PeerCertificates) == 0 {
		if at.Scheme == "http" {
			r.fine("tls", "none: the %s is this computer", what)
		}
		return
	}
	leaf := a.tls.PeerCertificates[0]
	text := fmt.Sprintf("%s, the %s's certificate is good until %s", tls.VersionName(a.tls.Version), what, leaf.NotAfter.UTC().Format(time.DateOnly))
	if time.Until(leaf.NotAfter) < expirySoon {
		r.warn("tls", text, "the server's owner must renew it before then")
		return
	}
	r.fine("tls", "%s", text)
}

// netCause is why a connection failed, without the address that it is about.
func netCause(err error) string {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if failed.Timeout() {
			return "no answer in time"
		}
		err = failed.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Timeout() {
			return "no answer in time"
		}
		err = op.Err
	}
	return err.Error()
}
