package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// msi makes the Windows package with wixl.
func (r *release) msi(ctx context.Context, p program) error {
	if _, err := exec.LookPath("wixl"); err != nil {
		return errors.New("make the msi: wixl is not here; install the Debian package wixl")
	}
	stage := filepath.Join(r.work, "msi")
	if err := os.Mkdir(stage, 0o700); err != nil {
		return err
	}
	files := []file{
		{p.path, "labcourier.exe"},
		{r.at("configs/labcourier.toml"), "labcourier.example.toml"},
		{r.at("README.md"), "README.md"},
		{r.at("LICENSE"), "LICENSE.txt"},
		{filepath.Join(r.out, licenceFile), licenceFile},
	}
	for _, f := range files {
		text, err := os.ReadFile(f.source)
		if err != nil {
			return err
		}
		staged := filepath.Join(stage, f.name)
		if err := os.WriteFile(staged, text, 0o600); err != nil {
			return err
		}
		// The cabinet keeps the time of each file.
		if err := os.Chtimes(staged, r.version.time, r.version.time); err != nil {
			return err
		}
	}
	source, err := os.ReadFile(r.at("packaging/windows/labcourier.wxs"))
	if err != nil {
		return err
	}
	// wixl looks for files beside the source.
	if err := os.WriteFile(filepath.Join(stage, "labcourier.wxs"), source, 0o600); err != nil {
		return err
	}
	out := filepath.Join(r.out, r.name(p)+".msi")
	began := time.Now()
	if err := r.tool(ctx, stage, "wixl", "--arch", "x64", "-D", "Version="+r.version.msi(),
		"-D", "Product="+guid("product "+r.version.full()), "-o", out, "labcourier.wxs"); err != nil {
		return err
	}
	for _, query := range additions() {
		if err := r.tool(ctx, stage, "msibuild", out, "-q", query); err != nil {
			return err
		}
	}
	if err := r.tool(ctx, stage, "msibuild", out, "-s", "Installation Database", "The labcourier project", "x64;1033",
		guid("package "+r.version.full()+" "+r.version.commit)); err != nil {
		return err
	}
	return dateAs(out, began, r.version.time)
}

func (r *release) tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the msi: %s: %w: %s", name, err, bytes.TrimSpace(said))
	}
	return nil
}

// additions are queries for what wixl has no words for.
func additions() []string {
	const sequence = "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES "
	return []string{
		"UPDATE `Property` SET `Value` = 'CLIENT_ID;SERVER_URL;TOKEN_URL;WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED' WHERE `Property` = 'SecureCustomProperties'",
		"UPDATE `InstallExecuteSequence` SET `Sequence` = 1501 WHERE `Action` = 'RemoveExistingProducts'",
		"CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)",
		"INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) VALUES ('Path', '=-*PATH', '[~];[INSTALLDIR]', 'Program')",
		sequence + "('WriteEnvironmentStrings', 5200)",
		sequence + "('RemoveEnvironmentStrings', 3300)",
	}
}

// dateAs replaces the two times that the tools wrote into the summary, of
// creation and of the last change, by another.
func dateAs(msi string, began, as time.Time) error {
	text, err := os.ReadFile(msi)
	if err != nil {
		return err
	}
	earliest, latest := filetime(began.Add(-2*time.Second)), filetime(time.Now().Add(2*time.Second))
	found := 0
	for i := 0; i+12 <= len(text); i += 4 { // properties begin at multiples of four
		const vtFiletime = 64
		at := binary.LittleEndian.Uint64(text[i+4:])
		if binary.LittleEndian.Uint32(text[i:]) == vtFiletime && at >= earliest && at <= latest {
			binary.LittleEndian.PutUint64(text[i+4:], filetime(as))
			found++
		}
	}
	if found != 2 {
		return fmt.Errorf("make the msi: it holds %d times of making, not 2", found)
	}
	return os.WriteFile(msi, text, 0o644) //nolint:gosec // G306: it is published
}

// filetime counts tenths of a microsecond since 1601.
func filetime(t time.Time) uint64 {
	return uint64(t.Unix()+11644473600)*1e7 + uint64(t.Nanosecond()/100)
}

// guid makes an identifier from words, so that the same release has the same.
func guid(words string) string {
	b := sha256.Sum256([]byte("github.com/labcourier/labcourier " + words))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8, made by a rule of our own
	return fmt.Sprintf("{%X-%X-%X-%X-%X}", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
