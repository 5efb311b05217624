package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/http/httpproxy"

	"github.com/labcourier/labcourier/agent/secretfile"
)

// The values of [Options.Proxy] that are no address.
const (
	FromEnvironment = "environment"
	NoProxy         = "none"
)

// Options says how requests leave.
type Options struct {
	CAFile string // certificates trusted besides the system's; "" for none

	// CertFile and CertKeyFile are the certificate that is shown to a server
	// that asks for one, in PEM form; "" for none. The key is a secret, see
	// package secretfile; it may be in the certificate's file.
	CertFile    string
	CertKeyFile string

	Proxy         string   // FromEnvironment, which "" means, NoProxy, or a URL
	Direct        []string // hosts that are reached without that proxy, as in NO_PROXY
	ProxyUser     string
	ProxyPassword func() (string, error) // called for each connection through the proxy

	Timeout time.Duration // of the first byte of an answer
	PerHost int           // idle connections that are kept to one host

	Log zerolog.Logger
}

// limits bound the stages of a connection.
type limits struct {
	dial, handshake, ping, idle time.Duration
}

func defaultLimits() limits {
	return limits{dial: 10 * time.Second, handshake: 10 * time.Second, ping: 15 * time.Second, idle: 90 * time.Second}
}

// New makes a client. It connects to nobody.
func New(o Options) (*http.Client, error) {
	t, err := newTransport(o, defaultLimits())
	if err != nil {
		return nil, fmt.Errorf("set up the HTTP client: %w", err)
	}
	return &http.Client{Transport: t}, nil
}

// build makes the connections' settings from the files as they are now.
func build(o Options, l limits) (*http.Transport, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if secure.RootCAs, err = Roots(o.CAFile); err != nil {
		return nil, err
	}
	if o.CertFile != "" {
		pair, err := secretfile.KeyPair(o.CertFile, o.CertKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate %s: %w", o.CertFile, err)
		}
		// Whatever authorities a server names: one that does not know ours has to
		// say so, or nobody would understand why it refuses us.
		secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	t := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: l.dial, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       secure,
		TLSHandshakeTimeout:   l.handshake,
		ResponseHeaderTimeout: o.Timeout,
		IdleConnTimeout:       l.idle,
		MaxIdleConnsPerHost:   o.PerHost,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: l.ping, PingTimeout: l.ping},
	}
	return t, o.throughProxy(t)
}

// Roots is the system's certificates with those of the file added, nil (which
// stands for the system's) if there is none.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authorities' certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the authorities' certificates %s: it holds none in PEM form", file)
	}
	return pool, nil
}

// throughProxy sets how t goes through the proxy.
func (o Options) throughProxy(t *http.Transport) error {
	var c *httpproxy.Config
	switch o.Proxy {
	case NoProxy:
		return nil
	case FromEnvironment, "":
		c = httpproxy.FromEnvironment()
	default:
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Host == "" {
			return errors.New("the proxy is not an address of the form http://host:port")
		}
		c = &httpproxy.Config{HTTPProxy: o.Proxy, HTTPSProxy: o.Proxy, NoProxy: strings.Join(o.Direct, ",")}
	}
	choose := c.ProxyFunc()
	t.Proxy = func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	if o.ProxyUser != "" && o.ProxyPassword != nil {
		t.GetProxyConnectHeader = func(context.Context, *url.URL, string) (http.Header, error) {
			password, err := o.ProxyPassword()
			if err != nil {
				return nil, fmt.Errorf("read the proxy's password: %w", err)
			}
			pair := base64.StdEncoding.EncodeToString([]byte(o.ProxyUser + ":" + password))
			return http.Header{"Proxy-Authorization": {"Basic " + pair}}, nil
		}
	}
	return nil
}
