package config

import (
	"net/netip"
	"time"

	"golang.org/x/text/encoding"

	"github.com/labcourier/labcourier/drivers"
)

// Config is a file that was read and found in order, with defaults filled in
// and paths made absolute.
type Config struct {
	File string `toml:"-"` // as it was given to Load or Parse

	Agent     Agent      `toml:"agent"`
	Server    Server     `toml:"server"`
	Shadow    *Server    `toml:"-"` // [shadow], a second server; nil if there is none
	Orders    *Orders    `toml:"-"` // [orders]; nil if there is none
	Status    Status     `toml:"status"`
	Log       Log        `toml:"log"`
	Spool     Spool      `toml:"spool"`
	Codes     Codes      `toml:"codes"`
	Alerts    Alerts     `toml:"alerts"`
	Analyzers []Analyzer `toml:"-"` // [[analyzer]], in the file's order, also those not enabled

	// Secrets is every secret that the file names, in its order.
	Secrets []SecretUse `toml:"-"`

	// Warnings are what the agent can live with and a person should look at,
	// sorted by place.
	Warnings []Fault `toml:"-"`

	digest string
}

// Digest is the SHA-256 of the file as it was read, in hexadecimal digits.
func (c *Config) Digest() string { return c.digest }

// Enabled returns the analyzers to be served.
func (c *Config) Enabled() []Analyzer {
	var on []Analyzer
	for _, a := range c.Analyzers {
		if a.Enabled {
			on = append(on, a)
		}
	}
	return on
}

// Shadowed returns the analyzers to be served whose messages go to the second
// server, too, as that server takes them.
func (c *Config) Shadowed() []Analyzer {
	var on []Analyzer
	for _, a := range c.Enabled() {
		if a.Shadow && c.Shadow != nil {
			a.Deliver, a.Bot = c.Shadow.Deliver, c.Shadow.Bot
			on = append(on, a)
		}
	}
	return on
}

// Agent is the table [agent].
type Agent struct {
	// Name is part of the identifiers of all that is sent: once results were
	// delivered it should not change.
	Name string `toml:"name"`

	DataDir        string        `toml:"data_dir"`        // spool, keys, traces
	IdentifierBase string        `toml:"identifier_base"` // a URI, before ":result" and the like
	StopTimeout    time.Duration `toml:"stop_timeout"`    // how long stopping may take
}

// Server is the table [server].
type Server struct {
	URL         string        `toml:"url"`           // the FHIR base, without a slash at the end
	Deliver     string        `toml:"deliver"`       // "fhir" or "bot"
	Bot         string        `toml:"bot"`           // the bot's id, or "system|value"
	Timeout     time.Duration `toml:"timeout"`       // of one request
	CAFile      string        `toml:"ca_file"`       // certificates trusted besides the system's; "" for none
	CertFile    string        `toml:"cert_file"`     // the certificate that this client shows; "" for none
	CertKeyFile string        `toml:"cert_key_file"` // its key; filled in with CertFile if it is not given
	CertFor     string        `toml:"cert_for"`      // "all", "token" or "fhir": to whom it is shown
	Proxy       Proxy         `toml:"-"`
	MaxBody     Size          `toml:"max_body"`     // of one request
	MaxParallel int           `toml:"max_parallel"` // analyzers that deliver at the same time
	Raw         bool          `toml:"raw"`          // messages go there as they came, beside the results
	Provenance  bool          `toml:"provenance"`   // and how each report came about
	Heartbeat   time.Duration `toml:"heartbeat"`    // how often the agent's own Device is written there; 0: never
	Auth        Auth          `toml:"-"`
}

// Auth is the table [server.auth].
type Auth struct {
	Method        string        `toml:"method"` // "auto", "oauth2" or "basic"
	TokenURL      string        `toml:"token_url"`
	ClientID      string        `toml:"client_id"`
	ClientSecret  Secret        `toml:"-"`
	Username      string        `toml:"username"` // "": basic uses the client's id and secret
	Password      Secret        `toml:"-"`
	Scopes        []string      `toml:"scopes"`
	Audience      string        `toml:"audience"`
	ClientAuth    string        `toml:"client_auth"`        // "header", "form", "private_key_jwt" or "tls"
	ClientKey     Secret        `toml:"-"`                  // for "private_key_jwt"
	ClientKeyID   string        `toml:"client_key_id"`      // "": the key's own
	ClientKeyAlg  string        `toml:"client_key_alg"`     // "": what suits the key
	AssertionAud  string        `toml:"assertion_audience"` // "": TokenURL
	FallbackAfter time.Duration `toml:"fallback_after"`     // OAuth2 unreachable for so long: basic
	Reprobe       time.Duration `toml:"reprobe"`            // how often OAuth2 is tried again
}

// Proxy is how requests leave this site.
type Proxy struct {
	// Address is "environment" (HTTPS_PROXY, NO_PROXY), "none", or a URL.
	Address string `toml:"proxy"`

	NoProxy  []string `toml:"no_proxy"` // hosts that are reached without it
	Username string   `toml:"proxy_username"`
	Password Secret   `toml:"-"`
}

// Orders is the table [orders]: how the order of a specimen is found.
type Orders struct {
	System    string        `toml:"system"`    // of ServiceRequest.identifier; "" takes any
	Unmatched string        `toml:"unmatched"` // "send" or "hold"
	MaxAge    time.Duration `toml:"max_age"`   // an older order does not count
}

// Status is the table [status].
type Status struct {
	Listen string        `toml:"listen"` // loopback; port 0 takes a free one
	Remote *StatusRemote `toml:"-"`      // nil: no other computer is served
}

// StatusRemote is the table [status.remote]: the status endpoint for other
// computers.
type StatusRemote struct {
	Listen      string         `toml:"listen"`
	CertFile    string         `toml:"cert_file"`
	CertKeyFile string         `toml:"cert_key_file"` // filled in with CertFile if it is not given
	Allow       []string       `toml:"allow"`
	Password    Secret         `toml:"-"`
	Prefixes    []netip.Prefix `toml:"-"` // Allow, read; nil: everybody
}

// Log is the table [log].
type Log struct {
	Level  string `toml:"level"`  // "trace", "debug", "info", "warn" or "error"
	Format string `toml:"format"` // "auto", "console" or "json"

	Levels map[string]string `toml:"levels"` // of components, see LogComponents

	File     string        `toml:"file"`      // written besides; "" for none
	MaxSize  Size          `toml:"max_size"`  // from which on a new file is begun
	MaxAge   time.Duration `toml:"max_age"`   // how long old files are kept; 0: for ever
	MaxFiles int           `toml:"max_files"` // and how many; 0: all
}

// LogComponents names the parts of the agent that can have a log level of their
// own.
func LogComponents() []string {
	return []string{"alert", "auth", "browse", "deliver", "drivers", "http", "status"}
}

// Spool is the table [spool].
type Spool struct {
	ResendWindow time.Duration `toml:"resend_window"` // equal bytes within it are the analyzer sending again; 0: never
	Retain       time.Duration `toml:"retain"`        // how long what was delivered is kept; 0: not at all
	RetainBytes  Size          `toml:"retain_bytes"`  // and how much of it at most
	RetainAudit  time.Duration `toml:"retain_audit"`  // how long the audit log is kept; 0: for ever
	Reserve      Size          `toml:"reserve"`       // free disk below which nothing is acknowledged
	Warn         Size          `toml:"warn"`          // free disk below which the status warns
	MaxMessage   Size          `toml:"max_message"`   // the largest message that is taken

	Key     Secret   `toml:"-"` // seals what is stored; not given: nothing is sealed
	OldKeys []Secret `toml:"-"` // of records that Key has not sealed anew yet
}

// Codes is the table [codes]: what is known of LOINC and UCUM codes, see
// LoadCodes.
type Codes struct {
	File       string   `toml:"file"`       // a person's own rows, codes.toml; "" for none
	Catalogues []string `toml:"catalogues"` // LIVD files
}

// Analyzer is one table [[analyzer]].
type Analyzer struct {
	Name    string `toml:"name"`    // unique, whatever the case of its letters
	Profile string `toml:"profile"` // "" or the one whose defaults are filled in
	Driver  string `toml:"driver"`  // the name of a drivers.Kind
	Enabled bool   `toml:"enabled"`

	// Exactly one of these is set.
	Serial *Serial `toml:"serial"`
	TCP    *TCP    `toml:"tcp"`
	Folder *Folder `toml:"folder"`

	Timezone string            `toml:"timezone"` // as written; "Local" is this computer's
	Zone     *time.Location    `toml:"-"`        // of Timezone
	Charset  string            `toml:"charset"`  // as written; "" is automatic
	Encoding encoding.Encoding `toml:"-"`        // of Charset; nil is automatic

	StatusDefault drivers.ResultStatus `toml:"status_default"` // of a result that carries none
	ResendWindow  time.Duration        `toml:"resend_window"`  // the spool's, unless the analyzer has its own

	Shadow  bool   `toml:"shadow"`  // the second server gets its messages, too
	Deliver string `toml:"deliver"` // the server's, unless the analyzer has its own
	Bot     string `toml:"bot"`

	Corrections       string        `toml:"corrections"`        // "update", "new" or "hold"
	CorrectionsWithin time.Duration `toml:"corrections_within"` // how long after a result
	QC                string        `toml:"qc"`                 // "keep", "send" or "drop"

	Raw        bool `toml:"raw"`        // the server's, unless the analyzer has its own
	Provenance bool `toml:"provenance"` // the same

	// What is said of the device that the results come from.
	Manufacturer string `toml:"manufacturer"`
	Model        string `toml:"model"`
	SerialNumber string `toml:"serial_number"`
	Location     string `toml:"location"`

	// Section is the driver's own table, or drivers.NoSection. It was tried on
	// the driver.
	Section drivers.Section `toml:"-"`
}

// ParseOptions is what the driver's Parse is to be told of a's messages.
func (a Analyzer) ParseOptions() drivers.ParseOptions {
	return drivers.ParseOptions{Location: a.Zone, Charset: a.Encoding, DefaultStatus: a.StatusDefault, Section: a.Section}
}

// Serial is the serial line of an analyzer, in the words of drivers/port.
type Serial struct {
	Device      string   `toml:"device"`
	Baud        int      `toml:"baud"`
	DataBits    int      `toml:"data_bits"`
	Parity      string   `toml:"parity"`       // "none", "odd", "even", "mark" or "space"
	StopBits    StopBits `toml:"stop_bits"`    // 1, 1.5 (Windows only) or 2
	FlowControl string   `toml:"flow_control"` // "none", "rts-cts" or "xon-xoff"
}

// TCP is the network link of an analyzer: Listen or Connect is set.
type TCP struct {
	Listen         string         `toml:"listen"` // the analyzer connects to us
	Allow          []string       `toml:"allow"`  // as written
	Prefixes       []netip.Prefix `toml:"-"`      // of Allow; empty means everybody
	MaxConnections int            `toml:"max_connections"`

	Connect     string        `toml:"connect"` // we connect to the analyzer
	DialTimeout time.Duration `toml:"dial_timeout"`
}

// Folder is a directory into which an analyzer drops files, in the words of
// drivers/folder.
type Folder struct {
	Path    string        `toml:"path"`
	Pattern string        `toml:"pattern"`  // which files: "*.csv"
	Done    string        `toml:"done"`     // where they go; relative paths start at Path
	Settle  time.Duration `toml:"settle"`   // for how long a file must not change
	Keep    time.Duration `toml:"keep"`     // in Done; 0: for ever
	MaxFile Size          `toml:"max_file"` // the largest file that is read

	Journal string `toml:"-"` // of files under way, in the data directory

	fault func(key, problem, hint string) Fault
}

// Fault is something that is wrong with the value at key, found by trying it.
func (f *Folder) Fault(key, problem, hint string) Fault { return f.fault(key, problem, hint) }
