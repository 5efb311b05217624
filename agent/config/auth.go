package config

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/clientkey"
)

// authKeys is [server.auth] as it is written.
type authKeys struct {
	Auth

	ClientSecretFile       string `toml:"client_secret_file"`
	ClientSecretEnv        string `toml:"client_secret_env"`
	ClientSecretCredential string `toml:"client_secret_credential"`
	ClientSecret           sealed `toml:"client_secret"`

	ClientKeyFile       string `toml:"client_key_file"`
	ClientKeyEnv        string `toml:"client_key_env"`
	ClientKeyCredential string `toml:"client_key_credential"`
	ClientKey           sealed `toml:"client_key"`

	PasswordFile       string `toml:"password_file"`
	PasswordEnv        string `toml:"password_env"`
	PasswordCredential string `toml:"password_credential"`
	Password           sealed `toml:"password"`
}

func (t table) auth(a *Auth) {
	var k authKeys
	t.read(&k)
	defer func() { *a = k.Auth }()
	if t.n == nil {
		t.fault("", "is missing", "add [server.auth] with token_url, client_id and client_secret_file")
		return
	}
	if t.gone() {
		return
	}
	t.oneOf("method", k.Method, "auto", "oauth2", "basic")
	t.oneOf("client_auth", k.ClientAuth, "header", "form", "private_key_jwt", "tls")
	t.span("fallback_after", k.FallbackAfter, time.Second, 7*24*time.Hour)
	t.span("reprobe", k.Reprobe, 10*time.Second, 24*time.Hour)

	person := t.has("username") || t.hasSecret("password")
	if k.Method != "basic" {
		if t.need("token_url", k.TokenURL, `give the OAuth2 token endpoint: token_url = "https://api.medplum.com/oauth2/token"`) {
			t.webAddress("token_url", k.TokenURL)
		}
	}
	bySecret := k.ClientAuth == "header" || k.ClientAuth == "form"
	if k.Method != "basic" || !person || t.has("client_id") || t.hasSecret("client_secret") {
		t.need("client_id", k.ClientID, "give the id of the client application that the server knows")
	}
	if k.Method != "basic" && bySecret || k.Method == "basic" && !person || t.hasSecret("client_secret") {
		k.Auth.ClientSecret = t.secret("client_secret", k.ClientSecretFile, k.ClientSecretEnv, k.ClientSecretCredential, k.ClientSecret)
	}
	t.clientKey(&k)
	if person {
		t.need("username", k.Username, "give the user name, or remove the password: basic then uses client_id and its secret")
		k.Auth.Password = t.secret("password", k.PasswordFile, k.PasswordEnv, k.PasswordCredential, k.Password)
	}
	if k.Method == "auto" && !bySecret && !person && !t.hasSecret("client_secret") {
		t.fault("method", `is "auto", but there is nothing that basic could send: a key or certificate is for OAuth2 only`,
			`write method = "oauth2", or give username and password_file to fall back to`)
	}
	t.basicName(k, person)
}

// clientKey checks the key of private_key_jwt and what belongs to it.
func (t table) clientKey(k *authKeys) {
	if k.Method == "basic" || k.ClientAuth != "private_key_jwt" {
		for _, key := range append(secretKeys("client_key"), "client_key_id", "client_key_alg", "assertion_audience") {
			if t.has(key) {
				t.warn(key, `is not used: it belongs to client_auth = "private_key_jwt"`, `write client_auth = "private_key_jwt", or remove it`)
			}
		}
		return
	}
	k.Auth.ClientKey = t.secret("client_key", k.ClientKeyFile, k.ClientKeyEnv, k.ClientKeyCredential, k.ClientKey)
	text, err := k.Auth.ClientKey.Read()
	if err != nil {
		return // told already, or comes with the service
	}
	key := t.given("client_key")[0]
	keys, err := clientkey.Parse([]byte(text))
	if err != nil {
		t.fault(key, "holds no key that can be used: "+err.Error(), "make one with `labcourier secret jwk --create`, and give the server what it prints")
		return
	}
	if _, err := keys.Pick(k.ClientKeyID, ""); err != nil {
		t.fault("client_key_id", "is the id of none of the keys", "`labcourier secret jwk` shows their ids; without client_key_id the first is used")
	} else if _, err := keys.Pick(k.ClientKeyID, k.ClientKeyAlg); err != nil {
		t.fault("client_key_alg", "does not suit the key: "+err.Error(), "remove client_key_alg, or make a key of the other kind")
	}
}

// basicName checks the name that Basic sends before a colon (RFC 7617).
func (t table) basicName(k authKeys, person bool) {
	key, name := "client_id", k.ClientID
	if person {
		key, name = "username", k.Username
	}
	switch {
	case k.Method == "oauth2" && person:
		t.warn("username", `is not used by method "oauth2"`, `remove username and password, or use method = "auto"`)
	case k.Method != "oauth2" && strings.Contains(name, ":"):
		t.fault(key, "holds a colon, which basic cannot send", `use another name, or method = "oauth2"`)
	}
}

// secretKeys are the ways to give a secret whose key begins with prefix.
func secretKeys(prefix string) []string {
	return []string{prefix + "_file", prefix + "_env", prefix + "_credential", prefix}
}

func (t table) hasSecret(prefix string) bool { return len(t.given(prefix)) > 0 }

// given lists the keys by which the secret of that prefix is given.
func (t table) given(prefix string) (keys []string) {
	for _, k := range secretKeys(prefix) {
		if t.has(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// secret returns the one secret that is given under the keys of prefix, after a
// look at whether it is there.
func (t table) secret(prefix, file, env, credential string, inline sealed) Secret {
	given := t.given(prefix)
	switch {
	case len(given) == 0:
		t.fault(prefix+"_file", "is missing", "name a file that only the service can read, or use "+prefix+"_env or "+prefix+"_credential")
		return Secret{}
	case len(given) > 1:
		t.fault(given[1], "gives a second source for the same secret, besides "+given[0], "keep one of "+quoted(given))
		return Secret{}
	}
	key := given[0]
	s := t.source(key, prefix, file, env, credential, inline)
	if s.Given() {
		where := map[string]string{prefix + "_file": t.c.abs(file), prefix + "_env": env, prefix + "_credential": credential}[key]
		t.c.secrets = append(t.c.secrets, SecretUse{Key: t.path.sub(key).key, Where: where, Secret: s})
	}
	return s
}

// source returns the secret that is given by key.
func (t table) source(key, prefix, file, env, credential string, inline sealed) Secret {
	switch key {
	case prefix + "_file":
		file = t.c.abs(file)
		t.secretFile(key, file)
		return FileSecret(file)
	case prefix + "_env":
		if os.Getenv(env) == "" {
			t.fault(key, "names an environment variable that is not set", "set it for the service; the key holds the variable's name, not the secret")
		}
		return EnvSecret(env)
	case prefix + "_credential":
		t.credential(key, credential)
		return CredentialSecret(credential)
	}
	if inline.reveal == nil || inline.reveal() == "" {
		t.fault(key, "is empty", "write the secret to a file and name it with "+prefix+"_file")
		return Secret{}
	}
	t.warn(key, "holds a secret in the configuration itself, where whoever reads or copies the file has it",
		"`labcourier secret set` puts it into a file of its own; name that with "+prefix+"_file")
	return Inline(inline.reveal())
}

// credential checks a systemd credential.
func (t table) credential(key, name string) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case name == "" || name != filepath.Base(name) || name == "." || name == "..":
		t.fault(key, "is not the name of a systemd credential", "write the name that LoadCredential= of the unit gives it")
	case dir == "":
		t.fault(key, "names a systemd credential, but systemd passed none (CREDENTIALS_DIRECTORY is not set)",
			"put LoadCredential=NAME:/path/of/the/secret into the unit; outside of the service, set CREDENTIALS_DIRECTORY to the secret's folder")
	default:
		// Their mode is systemd's business.
		if problem := unreadable(filepath.Join(dir, name)); problem != "" {
			t.fault(key, "names a systemd credential that "+problem, "check LoadCredential= in the unit")
		}
	}
}
