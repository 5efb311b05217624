package folder

import (
	"os"
	"path/filepath"
	"time"
)

// prune deletes the day folders below done that are older than Keep. It touches
// nothing else in done.
func (d *Driver) prune() {
	now := d.now()
	if d.o.Keep == 0 || now.Sub(d.pruned) < pruneEvery {
		return
	}
	d.pruned = now
	entries, err := os.ReadDir(d.o.done())
	if err != nil {
		return // there is none yet, or the next look will tell
	}
	for _, e := range entries {
		day, err := time.ParseInLocation(dayFormat, e.Name(), now.Location())
		if err != nil || !e.IsDir() || now.Sub(day.AddDate(0, 0, 1)) < d.o.Keep {
			continue
		}
		removed, err := removeFiles(filepath.Join(d.o.done(), e.Name()))
		d.count("pruned_files", removed)
		if err != nil {
			d.log.Warn().Str("reason", cause(err)).Msg("a day folder in done is not removed")
		}
	}
}

// removeFiles removes the files of a folder and then the folder. One that holds
// something else stays.
func removeFiles(dir string) (removed uint64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, os.Remove(dir)
}
