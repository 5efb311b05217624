package admin

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/spool"
)

func TestSetSpecimen(t *testing.T) {
	s := openSpool(t)
	c := InProcess(s)
	ctx := context.Background()
	held, refused := put(t, s, spool.Complete, "H|1\r"), put(t, s, spool.Complete, "H|2\r")
	wantStatus(t, c.SetSpecimen(ctx, held, "S-1", 0), http.StatusConflict) // it waits
	if err := s.Park("a", held, spool.Reason{Code: "held"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Park("a", refused, spool.Reason{Code: "rejected"}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, c.SetSpecimen(ctx, refused, "S-1", 0), http.StatusConflict)
	wantStatus(t, c.SetSpecimen(ctx, 99, "S-1", 0), http.StatusNotFound)
	for _, bad := range []string{"", "  ", "two words", "a\x02b", strings.Repeat("x", 65)} {
		wantStatus(t, c.SetSpecimen(ctx, held, bad, 0), http.StatusBadRequest)
	}
	if err := c.SetSpecimen(ctx, held, " S-2041 ", 2); err != nil {
		t.Fatal(err)
	}
	r, err := s.Next(ctx, "a")
	if err != nil || r.Seq != held || r.Given["specimen.2"] != "S-2041" {
		t.Errorf("%+v, %v", r.Given, err)
	}
	log, err := c.Audit(ctx, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	last := log[len(log)-1]
	if last.What != "give" || last.Note != "specimen id of order 2" || last.Seq != held {
		t.Errorf("audit: %+v", last)
	}
}
