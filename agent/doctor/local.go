package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/secretfile"
	"github.com/labcourier/labcourier/spool"
)

// Local looks at what the agent needs of this computer. Running says whether
// the agent answers at its status address.
func Local(cfg *config.Config, spoolFile string, running bool, r Report) {
	secrets(cfg, r)
	dir := cfg.Agent.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		missingDir(dir, r)
		return
	case err != nil:
		r.wrong("data", "the data directory "+dir+" cannot be looked at: "+cause(err), "run this as the service's user, as root or as administrator")
		return
	case !info.IsDir():
		r.wrong("data", dir+" is not a directory", "name another in data_dir of [agent]")
		return
	}
	if problem, remedy := openDir(dir, info); problem != "" {
		r.wrong("data", "on "+dir+" "+problem, remedy)
	} else if err := writable(dir); err != nil {
		r.wrong("data", "this user may not write in "+dir+": "+cause(err), "run this as the service's user, as root or as administrator; or give the directory to that user")
	} else {
		r.fine("data", "%s is there, and this user may write in it", dir)
	}
	disk(cfg, dir, r)
	store(filepath.Join(dir, spoolFile), cfg, running, r)
	kept(filepath.Join(dir, spoolFile), r)
	adminToken(dir, running, r)
}

func missingDir(dir string, r Report) {
	above := filepath.Dir(dir)
	if _, err := os.Stat(above); err != nil {
		r.wrong("data", "neither "+dir+" nor the folder above it is there", "make it, or name another in data_dir of [agent]; `labcourier service install` makes it")
		return
	}
	r.fine("data", "%s is not there yet; the agent makes it at its first start", dir)
}

// writable tries whether a file can be made, and leaves none behind.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func disk(cfg *config.Config, dir string, r Report) {
	free, err := spool.DiskFree(dir)
	if err != nil {
		r.warn("disk", cause(err), "look at the disk by other means")
		return
	}
	const room = "make room, or move data_dir to a larger disk"
	switch {
	case free < uint64(cfg.Spool.Reserve):
		r.wrong("disk", fmt.Sprintf("%s free, less than the reserve of %s: analyzers are refused", megabytes(free), megabytes(uint64(cfg.Spool.Reserve))), room)
	case free < uint64(cfg.Spool.Warn):
		r.warn("disk", fmt.Sprintf("%s free; below %s analyzers are refused", megabytes(free), megabytes(uint64(cfg.Spool.Reserve))), room)
	default:
		r.fine("disk", "%s free; the reserve is %s", megabytes(free), megabytes(uint64(cfg.Spool.Reserve)))
	}
}

func megabytes(n uint64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// kept names what lies there from before an upgrade: it holds messages too.
func kept(path string, r Report) {
	copies, err := spool.KeptCopies(path)
	if err != nil {
		return // the data directory's finding says it
	}
	for _, k := range copies {
		r.fine("spool", "from before an upgrade, for going back, %s is kept until %s: %s", k.Path, k.Until().Format(time.DateOnly), megabytes(uint64(k.Bytes)))
	}
}

// store looks at the spool's file and at who has it.
func store(path string, cfg *config.Config, running bool, r Report) {
	if _, err := cfg.Spool.Keys(); err != nil {
		r.wrong("spool", "its key cannot be had: "+cause(err), "see key_file in [spool]; without the key nothing that is stored can be read")
		return
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.fine("spool", "there is none yet; the agent makes it at its first start")
		return
	}
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		r.wrong("spool", "this user may not open "+path+": "+cause(err), "run this as the service's user, as root or as administrator; if that was done, give the file to that user")
		return
	}
	held := spool.HeldBy(path)
	switch locked, isHeld := errors.AsType[*spool.LockedError](held); {
	case isHeld && running:
		r.fine("spool", "%s, %s, in use by the running agent", path, megabytes(uint64(info.Size())))
	case isHeld:
		r.wrong("spool", locked.Error(), "no agent answers at "+cfg.Status.Listen+": end that process, or let it have the [status] listen of this file")
	case held != nil:
		r.warn("spool", "who has it cannot be told: "+cause(held), "run this as the service's user")
	case running:
		r.warn("spool", "an agent answers at "+cfg.Status.Listen+", and it does not use "+path, "the agent runs with another configuration: compare data_dir and [status] listen")
	default:
		r.fine("spool", "%s, %s, in use by nobody", path, megabytes(uint64(info.Size())))
	}
}

// adminToken looks at what lets this user steer the agent. It is never shown.
func adminToken(dir string, running bool, r Report) {
	_, err := admin.ReadToken(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && running:
		r.wrong("admin", "there is no admin token in "+dir, "start the agent again: it makes one")
	case errors.Is(err, fs.ErrNotExist):
		r.fine("admin", "there is no admin token yet; the agent makes it at its first start")
	case err != nil:
		r.wrong("admin", err.Error(), "`labcourier messages` needs it")
	default:
		if problem, remedy := secretfile.Exposed(admin.TokenPath(dir)); problem != "" {
			r.wrong("admin", "the admin token: "+problem, remedy)
			return
		}
		r.fine("admin", "the admin token can be read by this user and not by others")
	}
}

// secrets reads every secret once, and shows none.
func secrets(cfg *config.Config, r Report) {
	for _, u := range cfg.Secrets {
		if _, err := u.Secret.Read(); err != nil {
			say := r.wrong
			if strings.HasPrefix(u.Key, "shadow.") {
				say = r.warn // no result waits for the second server
			}
			say("secret", u.Key+": "+err.Error(), "`labcourier secret set` stores secrets so that the service alone can read them")
			continue
		}
		r.fine("secret", "%s can be read, from %s", u.Key, u.Secret.Source())
	}
}

// cause is an error without the path that the text before it names already.
func cause(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err.Error()
	}
	return err.Error()
}
