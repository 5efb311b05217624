package agent

import (
	"fmt"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/auth"
	"github.com/labcourier/labcourier/agent/config"
)

// SpoolName is the spool's file in the data directory.
const SpoolName = spoolName

// Upstream is how an agent of a configuration reaches its server and signs in,
// without the agent.
type Upstream struct {
	HTTP   *http.Client     // for the FHIR base
	Tokens *http.Client     // for the token endpoint
	Auth   *auth.Authorizer // not running
}

// NewUpstream makes what an agent would use.
func NewUpstream(s config.Server, log zerolog.Logger) (u Upstream, err error) {
	if u.HTTP, u.Tokens, err = httpClients(s, log); err != nil {
		return Upstream{}, err
	}
	if u.Auth, err = auth.New(authOptions(s, u.HTTP, u.Tokens, log)); err != nil {
		return Upstream{}, fmt.Errorf("[server.auth]: %w", err)
	}
	return u, nil
}
