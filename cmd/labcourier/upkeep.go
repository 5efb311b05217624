package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/secretfile"
	"github.com/labcourier/labcourier/spool"
)

// addUpkeep adds what is done to the spool as a whole.
func (p *program) addUpkeep(add adder) {
	add(&cobra.Command{Use: "compact", Short: "give unused space in the spool's file back to the disk"}, 0, 0,
		func(ctx context.Context, c *admin.Client, _ []string) error {
			done, err := c.Compact(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "%d bytes before, %d after\n", done.Before, done.After)
			return nil
		})

	add(&cobra.Command{
		Use:   "rekey",
		Short: "seal every message with the key of [spool], the first time or anew",
		Long: "rekey seals every message with the key that [spool] names, and compacts the file, so that nothing\nis left in it that is not sealed, or is sealed with an older key.\n\n" +
			"To change the key: name the new one in key_file, the old one in old_key_files, restart the agent,\nrun rekey, remove old_key_files.",
	}, 0, 0,
		func(ctx context.Context, c *admin.Client, _ []string) error {
			done, err := c.Rekey(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "%d messages sealed; older keys are not needed any more\n", done.Sealed)
			return nil
		})
}

// newKeyCommand needs no spool: the key comes first.
func (p *program) newKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "newkey FILE",
		Short: "make a key for [spool] key_file",
		Long: "newkey writes a new random key to a new file that only its owner can read; on Windows it is sealed for\n" +
			"this computer. Without the key nobody can read what is stored: keep a copy of it, as --print shows it,\naway from this computer.",
		Args: func(cmd *cobra.Command, given []string) error {
			if len(given) != 1 {
				return usageError{fmt.Errorf("wrong number of arguments; see `%s --help`", cmd.CommandPath())}
			}
			return nil
		},
	}
	user := cmd.Flags().String("user", "", "give the file to this `user`, the service's")
	show := cmd.Flags().Bool("print", false, "write the key to the terminal too, to be kept elsewhere")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if _, err := os.Lstat(args[0]); err == nil {
			return fmt.Errorf("%s exists: a key is never written over; choose another name", args[0])
		}
		key := make([]byte, spool.KeySize)
		rand.Read(key)
		text := config.EncodeKey(key)
		if err := secretfile.Write(args[0], text, *user); err != nil {
			return err
		}
		if *show {
			fmt.Fprintln(p.out, text)
			return nil
		}
		fmt.Fprintf(p.out, "%s holds a new key, which %s can read: keep a copy away from this computer\n", args[0], secretfile.Owner(*user))
		return nil
	}
	return cmd
}
