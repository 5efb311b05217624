package hl7_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/porttest"
)

// peer prepares a run of @medplum/hl7, an HL7 implementation of other hands.
// LABCOURIER_PEERS names a folder in which `npm install @medplum/hl7
// @medplum/core` was run.
func peer(t *testing.T, args ...string) *exec.Cmd {
	peers := os.Getenv("LABCOURIER_PEERS")
	if peers == "" {
		t.Skip("LABCOURIER_PEERS names no folder with @medplum/hl7 in it")
	}
	if _, err := os.Stat(filepath.Join(peers, "node_modules", "@medplum", "hl7")); err != nil {
		t.Fatalf("LABCOURIER_PEERS is set: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "node", append([]string{filepath.Join("testdata", "medplum_peer.cjs")}, args...)...)
	cmd.Env, cmd.Stderr = append(os.Environ(), "LABCOURIER_PEERS="+peers), os.Stderr
	return cmd
}

// TestMedplumClient: Medplum's client sends to the driver and matches each
// acknowledgement by its MSA-2.
func TestMedplumClient(t *testing.T) {
	const refused = "refuse-me"
	for _, c := range []struct{ name, conditions, returnAck, good, bad string }{
		{"original", "", "first", "AA", "AE"},
		{"enhanced, accept acknowledgement", "|||AL|NE", "first", "CA", "CE"},
		{"enhanced, both", "|||AL|AL", "application", "AA", "CE"},
		{"enhanced, application acknowledgement", "|||NE|AL", "application", "AA", "AE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := port.Listen(port.ListenConfig{Address: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			store := &drivertest.Store{Before: func(_ context.Context, m drivers.Message) error {
				if strings.Contains(string(m.Payload), refused) {
					return drivers.ErrStoreFull
				}
				return nil
			}}
			d, err := hl7.New("bench", drivers.NoSection{}, drivers.Deps{Port: p, Handler: store, Log: zerolog.Nop()})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- d.Run(ctx) }()
			defer func() { cancel(); <-ended }()

			host, number, _ := net.SplitHostPort(listening(p))
			cmd := peer(t, "client", host, number, c.returnAck)
			var input strings.Builder
			var want []string
			for i := range 20 {
				id, code := fmt.Sprintf("m%d", i), c.good
				if i == 7 {
					id, code = refused, c.bad
				}
				m := "MSH|^~\\&|A|B|C|D|20260722091501||ORU^R01^ORU_R01|" + id + "|P|2.5.1" + c.conditions + "\rOBR|1||S-1|GLU\rOBX|1|NM|GLU||5.4|mmol/L|||||F\r"
				line, _ := json.Marshal(m)
				input.Write(append(line, '\n'))
				want = append(want, fmt.Sprintf("%s %s %s ACK^R01^ACK %v", id, code, id, code != c.good))
			}
			cmd.Stdin = strings.NewReader(input.String())
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var got []string
			stored := 19
			for line := range strings.Lines(string(out)) {
				var a struct {
					Sent, Code, To, Type string
					Err                  bool
					Tries                int
				}
				if err := json.Unmarshal([]byte(line), &a); err != nil {
					t.Fatalf("%v in %s", err, line)
				}
				got = append(got, fmt.Sprintf("%s %s %s %s %v", a.Sent, a.Code, a.To, a.Type, a.Err))
				if a.Sent != refused {
					stored += a.Tries - 1
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if n := len(store.All(drivers.Complete)); n != stored {
				t.Errorf("%d stored, want %d", n, stored)
			}
		})
	}
}

// TestMedplumServer: our sender against Medplum's server.
func TestMedplumServer(t *testing.T) {
	for _, c := range []struct{ mode, conditions string }{{"original", ""}, {"enhanced", "|||AL|AL"}} {
		t.Run(c.mode, func(t *testing.T) {
			address := porttest.Reserve(t, 1)[0]
			_, number, _ := net.SplitHostPort(address)
			cmd := peer(t, "server", number, c.mode)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			if !lines.Scan() {
				t.Fatal("the server did not begin to listen")
			}
			conn, err := net.Dial("tcp", "127.0.0.1:"+number)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				m := fmt.Sprintf("MSH|^~\\&|A|B|C|D|20260722091501||ORU^R01^ORU_R01|s%d|P|2.5.1%s\rOBR|1||S-1|GLU\r", i, c.conditions)
				if err := (hl7.Sender{Timeout: 30 * time.Second}).Send(t.Context(), drivertest.Conn{Conn: conn}, []byte(m)); err != nil {
					t.Errorf("message %d: %v", i, err)
				}
				if !lines.Scan() || !strings.Contains(lines.Text(), fmt.Sprintf("s%d", i)) {
					t.Errorf("message %d: the server has %q", i, lines.Text())
				}
			}
			conn.Close()
			in.Close()
			io.Copy(io.Discard, out)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// listening waits until the driver listens.
func listening(p drivers.Port) (addr string) {
	for addr == "" {
		runtime.Gosched()
		addr = p.(drivers.Listening).Addr()
	}
	return addr
}
