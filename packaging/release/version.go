package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// version is what is released: a tag v1.2.3, or what comes after the last one.
type version struct {
	number string // 1.2.3
	pre    string // dev.417; "" for a release
	commit string // its first twelve digits
	count  int    // commits until here
	time   time.Time
}

// beforeFirst is the number of what comes before the first tag.
const beforeFirst = "0.1.0"

var versionForm = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.]+))?$`)

func (r *release) readVersion(ctx context.Context, given string) (v version, err error) {
	git := func(args ...string) string {
		if err != nil {
			return ""
		}
		var out string
		out, err = output(ctx, r.root, "git", args...)
		return out
	}
	seconds, count := git("log", "-1", "--format=%ct"), git("rev-list", "--count", "HEAD")
	v.commit = git("rev-parse", "--short=12", "HEAD")
	tag := git("tag", "--points-at", "HEAD", "--list", "v*")
	if err != nil {
		return v, fmt.Errorf("read the version: %w", err)
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err == nil {
		v.count, err = strconv.Atoi(count)
	}
	if err != nil {
		return v, fmt.Errorf("read the version: %w", err)
	}
	v.time = time.Unix(at, 0).UTC()
	tag, _, _ = strings.Cut(tag, "\n")
	for _, text := range []string{given, tag, beforeFirst + "-dev." + count} {
		if text == "" {
			continue
		}
		m := versionForm.FindStringSubmatch(text)
		if m == nil {
			return v, fmt.Errorf("%q is no version of the form 1.2.3 or 1.2.3-rc.1", text)
		}
		v.number, v.pre = m[1], m[2]
		break
	}
	return v, nil
}

// full is the version as the program tells it.
func (v version) full() string {
	if v.pre == "" {
		return v.number
	}
	return v.number + "-" + v.pre
}

// msi is the version in the form of Windows Installer, which compares three
// numbers and knows no pre-release: the third counts commits before a release.
func (v version) msi() string {
	if v.pre == "" {
		return v.number
	}
	return fmt.Sprintf("0.0.%d", v.count%65536)
}
