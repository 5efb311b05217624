package outbound

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// relay passes bytes on between a client and a server, until it is frozen: then
// it holds both connections and passes nothing.
type relay struct {
	addr   string
	frozen sync.RWMutex
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String()}
	var conns sync.Map
	t.Cleanup(func() {
		l.Close()
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	})
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				return
			}
			conns.Store(near, nil)
			conns.Store(far, nil)
			go r.pass(near, far)
			go r.pass(far, near)
		}
	}()
	return r
}

func (r *relay) pass(from, to net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		r.frozen.RLock()
		_, err = to.Write(buf[:n])
		r.frozen.RUnlock()
		if err != nil {
			return
		}
	}
}

// freeze lasts until the test ends.
func (r *relay) freeze() { r.frozen.Lock() }

// proxy is an HTTP proxy that knows CONNECT. Whatever host is asked for, it
// connects to one server.
type proxy struct {
	url string

	mu    sync.Mutex
	asked []string // "host:port Proxy-Authorization"
	pass  string   // the header that it wants; "": none
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "http://" + l.Addr().String()}
	var running sync.WaitGroup
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				running.Wait()
				return
			}
			running.Go(func() { p.serve(c, to) })
		}
	}()
	return p
}

func (p *proxy) serve(c net.Conn, to string) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	p.mu.Lock()
	given := r.Header.Get("Proxy-Authorization")
	p.asked = append(p.asked, r.Method+" "+r.Host)
	refuse := p.pass != "" && given != p.pass
	p.mu.Unlock()
	if refuse {
		io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(far, in)
		far.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, far)
}

func (p *proxy) want(header string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass = header
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}
