package config

import (
	"bytes"
	"slices"
)

// Reach is what it takes to call the agent of a configuration.
type Reach struct {
	DataDir string // where its admin token is
	Listen  string // its status endpoint
}

// Reach is how the agent of c is called.
func (c *Config) Reach() Reach { return Reach{c.Agent.DataDir, c.Status.Listen} }

// ReachOf is how the agent of the file at path is called, as far as the file can
// be read. Nothing is said of what is wrong with it; what it does not say, or says
// in a way that nobody understands, is the default.
func ReachOf(path string) Reach {
	text, _, _ := readFile(path)
	return reachOf(path, text)
}

func reachOf(path string, text []byte) Reach {
	c := newChecker(path, nil, nil)
	var agent Agent
	var status Status
	var tree *node
	if _, whole := wholeFile(text); whole {
		text = slices.Clone(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
		if _, encoded := encoded(text); encoded {
			tree = readDocument(text).root // after a mistake of syntax, what stands before it
		}
	}
	root := table{c: c, n: tree}
	root.sub("agent").read(&agent)
	root.sub("status").read(&status, "remote")
	return Reach{c.abs(agent.DataDir), status.Listen}
}
