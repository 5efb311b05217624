package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/clientkey"
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/secretfile"
)

func (p *program) secretJWKCommand(file, user *string) *cobra.Command {
	var (
		create    bool
		alg, name string
		keys      []string
	)
	cmd := &cobra.Command{
		Use:   "jwk",
		Short: "print the public half of the client's key, for the server",
		Long: "jwk prints the public JWK set of the key for private_key_jwt: publish it at the address that the\n" +
			"server was told (jwks_uri), or paste it there. It holds nothing secret.\n\n" +
			"With --create it makes the key first. To replace a key in use, make the next one under another\n" +
			"name (--create --name client-key-2): what is printed has both, so that the server knows the next\n" +
			"one before the configuration names it.",
		Args: noArgs,
	}
	cmd.Flags().BoolVar(&create, "create", false, "make a key pair, and store the private half")
	cmd.Flags().StringVar(&alg, "alg", clientkey.ES384, "what a new key signs by: "+clientkey.ES384+" or "+clientkey.RS384)
	cmd.Flags().StringVar(&name, "name", "client-key", "the `file` of a new key, beside the other secrets")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "a key `file` to print the public half of, instead of the configuration's")
	cmd.RunE = func(*cobra.Command, []string) error {
		if create && name != strings.Trim(name, `./\`) || strings.ContainsAny(name, `/\`) {
			return usageError{errors.New("--name takes the name of a file, without a folder")}
		}
		set, err := keysInUse(*file, keys, create)
		if err != nil {
			return err
		}
		if create {
			made, err := p.createKey(*file, name, alg, *user)
			if err != nil {
				return err
			}
			set = append(set, made)
		}
		public, err := set.Public()
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s\n", public)
		return nil
	}
	return cmd
}

// keysInUse reads the keys of the files, or of the configuration if there are
// none. Where a key is about to be made there need be none.
func keysInUse(file string, paths []string, optional bool) (set clientkey.Set, err error) {
	var sources []config.Secret
	for _, path := range paths {
		sources = append(sources, config.FileSecret(path))
	}
	if len(paths) == 0 {
		uses, _, err := config.Secrets(file, kinds())
		if i := slices.IndexFunc(uses, func(u config.SecretUse) bool { return strings.Contains(u.Key, ".client_key") }); i >= 0 {
			sources = append(sources, uses[i].Secret)
		} else if !optional {
			return nil, errors.Join(err, errors.New("the configuration names no client key: make one with --create, or give a file with --key"))
		}
	}
	for _, s := range sources {
		text, err := s.Read()
		if err != nil {
			if optional && errors.Is(err, os.ErrNotExist) {
				continue // it is named already, and now it is made
			}
			return nil, err
		}
		found, err := clientkey.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("read the client key: %w", err)
		}
		set = append(set, found...)
	}
	return set, nil
}

// createKey makes a key and stores it. It never writes over another.
func (p *program) createKey(file, name, alg, user string) (clientkey.Key, error) {
	path := secretPath(file, name)
	if _, err := os.Lstat(path); err == nil {
		return clientkey.Key{}, fmt.Errorf("there is a key at %s already, which the server may know: give the new one another name with --name", path)
	}
	key, err := clientkey.New(alg)
	if err != nil {
		return clientkey.Key{}, usageError{err}
	}
	pem, err := key.PEM()
	if err != nil {
		return clientkey.Key{}, err
	}
	if err := storeSecret(path, strings.TrimSuffix(string(pem), "\n"), user); err != nil {
		return clientkey.Key{}, err
	}
	if _, err := secretfile.Read(path); err != nil {
		return clientkey.Key{}, err
	}
	n, err := secretNamed("client-key")
	if err != nil {
		return clientkey.Key{}, err
	}
	p.sayStored(p.err, n, file, path, user)
	fmt.Fprintf(p.err, "client_auth = \"private_key_jwt\"\n\nand give the server the JWK set that follows:\n")
	return key, nil
}
