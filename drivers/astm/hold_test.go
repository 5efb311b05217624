package astm_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/drivertest"
)

// Nobody sends bare records again that were not answered: while nothing can be
// stored they are held, go on being read, count when they are stored, and outlive
// their connection.
func TestUnansweredIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, port := &drivertest.Store{}, drivertest.NewPort()
		section := drivertest.Section(func(dst any) error { dst.(*astm.Options).Framing = "none"; return nil })
		d, err := astm.New("bench", section, drivers.Deps{Port: port, Handler: store, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		store.Refuse(drivers.ErrStoreFull)
		c := port.Dial()
		var want []string
		for _, m := range messages {
			if _, err := c.Write(m); err != nil {
				t.Fatal(err)
			}
			want = append(want, string(m))
		}
		c.Close()
		time.Sleep(time.Hour)
		if s := d.Status(); s.Acknowledged != 0 || !strings.Contains(s.Reason, "held in memory only") {
			t.Errorf("while it cannot be stored: %+v", s)
		}
		store.Refuse(nil)
		time.Sleep(time.Minute)
		if got := store.Payloads(drivers.Complete); !slices.Equal(got, want) {
			t.Errorf("stored %q", got)
		}
		if s := d.Status(); s.Acknowledged != uint64(len(want)) {
			t.Errorf("afterwards: %+v", s)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
