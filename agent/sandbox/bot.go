package sandbox

import (
	"net/http"
	"strings"
)

// BotCall is a message that was sent to a bot.
type BotCall struct {
	ID          string // from Bot/<id>/$execute, or ""
	Identifier  string // from Bot/$execute?identifier=, or ""
	ContentType string
	Body        []byte
}

// maxBotText is the largest body of a text type.
const maxBotText = 100_000

func isBot(path string) bool {
	return strings.HasPrefix(path, "Bot/") && strings.HasSuffix(path, "/$execute")
}

// bot runs Options.Bot. Failures are 400, whether the bot crashed or the data
// is bad.
func (s *Server) bot(c *call, path string) reply {
	if s.o.Bot == nil {
		return forbidden().reply()
	}
	if c.r.Method != http.MethodPost {
		return notFound().reply()
	}
	b := BotCall{ContentType: c.mediaType(), Body: c.body}
	if id, ok := strings.CutPrefix(strings.TrimSuffix(path, "/$execute"), "Bot/"); ok {
		b.ID = id
	} else {
		b.Identifier = c.r.URL.Query().Get("identifier")
	}
	switch b.ContentType {
	case "text/plain", "x-application/hl7-v2+er7":
		if len(c.body) > maxBotText {
			return badRequest("File too large").reply()
		}
	case "application/json", "application/fhir+json":
	default:
		return badRequest("Unsupported content type").reply()
	}
	answer, err := s.o.Bot(b)
	if err != nil {
		return badRequest(err.Error()).reply()
	}
	return newReply(http.StatusOK, textType, []byte(answer))
}
