package port

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// door decides who may come in and who must go.
type door struct {
	allow []netip.Prefix
	limit int

	mu     sync.Mutex
	guests map[*guest]struct{}
	told   drivers.Refusals
}

// admit returns c as a connection, or nil when its peer may not come in.
func (d *door) admit(c net.Conn) *guest {
	peer := peerAddr(c)
	g := &guest{tcpConn: newTCPConn(c), door: d, came: time.Now()}
	d.mu.Lock()
	if !d.allowed(peer) {
		d.told.Refused++
		d.told.LastRefused, d.told.LastAt = peer, g.came
		d.mu.Unlock()
		_ = c.Close()
		return nil
	}
	var displaced []*guest
	for len(d.guests) >= d.limit {
		s := d.silent()
		s.displaced.Store(true)
		delete(d.guests, s)
		d.told.Displaced++
		displaced = append(displaced, s)
	}
	d.guests[g] = struct{}{}
	d.mu.Unlock()
	for _, s := range displaced {
		_ = s.tcpConn.Close()
	}
	return g
}

func (d *door) allowed(peer netip.Addr) bool {
	if len(d.allow) == 0 {
		return true
	}
	for _, p := range d.allow {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

// silent returns the guest that has said nothing for the longest time. There is
// one: it is called only when guests are too many.
func (d *door) silent() *guest {
	var longest *guest
	for g := range d.guests {
		if longest == nil || g.heard().Before(longest.heard()) {
			longest = g
		}
	}
	return longest
}

func (d *door) leave(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.guests, g)
}

func (d *door) refusals() drivers.Refusals {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told
}

// peerAddr is the peer's address as the allow list has it: without the IPv6
// clothes of IPv4, and without the zone, which never matches a prefix.
func peerAddr(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{} // on no list
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// guest is a connection that came in by a listening port.
type guest struct {
	*tcpConn
	door      *door
	came      time.Time
	last      atomic.Int64 // when it last said something, counted from came
	displaced atomic.Bool
}

var _ Stream = (*guest)(nil)

// heard is when the peer last said something, or came.
func (g *guest) heard() time.Time { return g.came.Add(time.Duration(g.last.Load())) }

// Read reads from the peer, and notes that it lives.
func (g *guest) Read(p []byte) (int, error) {
	n, err := g.tcpConn.Read(p)
	if n > 0 {
		g.last.Store(int64(time.Since(g.came)))
	}
	return n, g.reason(err)
}

// Write writes to the peer.
func (g *guest) Write(p []byte) (int, error) {
	n, err := g.tcpConn.Write(p)
	return n, g.reason(err)
}

// Close closes the connection and makes room for another.
func (g *guest) Close() error {
	g.door.leave(g)
	return g.tcpConn.Close()
}

// Abort resets the connection and makes room for another.
func (g *guest) Abort() error {
	g.door.leave(g)
	return g.tcpConn.Abort()
}

// reason says why a connection that we closed ourselves is closed.
func (g *guest) reason(err error) error {
	if err == nil || !g.displaced.Load() {
		return err
	}
	return fmt.Errorf("closed for a newer connection, as the longest silent of %d: %w", g.door.limit, net.ErrClosed)
}
