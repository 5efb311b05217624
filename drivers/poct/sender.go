package poct

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Errors with which Sender.Send ends.
var (
	// ErrNoAnswer: nothing came within ResponseTimeout.
	ErrNoAnswer = errors.New("no answer from the data manager")

	// ErrRefused: the data manager answered AE or AR.
	ErrRefused = errors.New("the data manager refused a message")
)

// Sender is the device's side of POCT1-A2, for the simulator and tests. Each
// message is a conversation of its own.
type Sender struct {
	Model, Serial string // as HEL tells them; "" for "SIM"

	// Anonymous says that HEL does not name the device.
	Anonymous bool

	// Continuous says that the device can send results as they come.
	Continuous bool
}

// Send holds one conversation, in which it sends message, an OBS document. Nil
// means that the message was acknowledged with AA.
func (s Sender) Send(ctx context.Context, c drivers.Conn, message []byte) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	d := &device{Sender: s, conn: c, came: make(chan *element, 64)}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	var reading sync.WaitGroup
	reading.Go(d.read)
	defer func() {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // ends the reading
		reading.Wait()
		_ = c.SetReadDeadline(time.Time{})
	}()
	for _, part := range d.script(message) {
		if part.requested {
			if err := d.await(func(e *element) bool { return kindOf(e.name) == "REQ" }); err != nil {
				return err
			}
		}
		if err := d.write(part.raw); err != nil {
			return err
		}
		if err := d.acknowledged(part.id); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Wire is all that the device sends for one message when every answer is AA.
func (s Sender) Wire(message []byte) (raw []byte) {
	for _, part := range (&device{Sender: s}).script(message) {
		raw = append(raw, part.raw...)
	}
	return raw
}

// device is one conversation.
type device struct {
	Sender
	conn drivers.Conn
	out  writer
	came chan *element // what the data manager sent; closed when no more will come
	err  error         // why not, once came is closed
}

// part is a message of the device, with its control id.
type part struct {
	raw       []byte
	id        string
	requested bool // it waits for REQ
}

func (d *device) script(message []byte) []part {
	now := time.Now()
	own := func(name, body string) part {
		raw, id := d.out.message(nil, now, name, body)
		return part{raw: raw, id: id}
	}
	can := ""
	if d.Continuous {
		can = v("DSC.directives_supported_cd", "START_CONTINUOUS")
	}
	_, message = cutIdentity(message) // HEL says it
	names := v("DEV.device_id", or(d.Serial, "SIM")) + v("DEV.model_id", or(d.Model, "SIM"))
	if d.Anonymous {
		names = ""
	}
	hello := own("HEL.R01", "<DEV>"+names+
		"<DCP>"+v("DCP.application_timeout", "60")+"</DCP><DSC>"+v("DSC.connection_profile_cd", "SA")+can+"</DSC></DEV>")
	status := own("DST.R01", "<DST>"+v("DST.status_dttm", now.Format(wallFormat))+v("DST.new_observations_qty", strconv.Itoa(1))+v("DST.condition_cd", "R")+"</DST>")
	return []part{
		hello,
		status,
		{raw: message, id: controlID(message), requested: true},
		own("EOT.R01", "<EOT>"+v("EOT.topic_cd", "OBS")+"</EOT>"),
		own("END.R01", "<TRM>"+v("TRM.reason_cd", "NRM")+"</TRM>"),
	}
}

// acknowledged waits for the ACK of a message.
func (d *device) acknowledged(id string) error {
	kind := ""
	err := d.await(func(e *element) bool {
		ack := e.child("ACK")
		if kindOf(e.name) != "ACK" || ack.value("ACK.ack_control_id") != id {
			return false
		}
		kind = ack.value("ACK.type_cd")
		return true
	})
	if err == nil && kind != accepted {
		err = ErrRefused
	}
	return err
}

// read reads documents until the connection fails. Reading never waits for what
// the device has to say, as it does not in a device either.
func (d *device) read() {
	defer close(d.came)
	var split Splitter
	buf := make([]byte, 4096)
	for {
		n, err := d.conn.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			used, doc, done := split.Feed(p)
			if p = p[used:]; !done {
				continue
			}
			e, bad := readDocument(doc.Raw, nil)
			if bad != nil {
				d.err = fmt.Errorf("answer of the data manager: %w", bad)
				return
			}
			select {
			case d.came <- e:
			default: // nobody asks for so much
			}
		}
		if err != nil {
			d.err = fmt.Errorf("wait for the answer: %w", err)
			return
		}
	}
}

// await takes documents until one is the right one. Directives are accepted in
// between.
func (d *device) await(right func(*element) bool) error {
	t := time.NewTimer(ResponseTimeout)
	defer t.Stop()
	for {
		select {
		case e, more := <-d.came:
			if !more {
				return d.err
			}
			if kindOf(e.name) == "DTV" || kindOf(e.name) == "KPA" {
				id := e.child("HDR").value("HDR.control_id")
				if err := d.write(d.out.ack(nil, time.Now(), accepted, id, "")); err != nil {
					return err
				}
			}
			if right(e) {
				return nil
			}
		case <-t.C:
			return ErrNoAnswer
		}
	}
}

func (d *device) write(raw []byte) error {
	if _, err := d.conn.Write(raw); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}
