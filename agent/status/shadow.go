package status

import "strings"

// shadowCard is the second server.
type shadowCard struct {
	What   string // who delivers there, and what that means
	Facts  []fact
	Advice []string // what to do; none while all is well
}

// newShadowCard is nil where there is no second server. What goes wrong there is no
// trouble of the results, so that it is said here and not in the headline.
func newShadowCard(s Snapshot) *shadowCard {
	if s.Shadow == nil {
		return nil
	}
	v, now := *s.Shadow, s.now()
	sum, who := shadowSum(s)
	c := &shadowCard{What: "Gets what comes from " + listed(who, 6) + " as well, so that both servers can be compared. No result waits for it."}
	state := fact{Name: "State", Value: "Takes messages"}
	switch {
	case v.WaitingReason != "":
		_, text, todo := serverWords(v)
		state.Value, state.State = text, "wrong"
		c.Advice = append(c.Advice, strings.Replace(todo, "the server", "the second server", 1), "The last try: "+ended(v.WaitingReason))
	case sum.Delivered+sum.Refused == 0:
		state.Value = "Nothing to deliver yet"
	}
	missed := fact{Name: "Not delivered", Value: many(sum.Refused, "message")}
	if sum.Refused > 0 {
		missed.State, missed.Time = "wrong", sum.LastRefused.RFC3339()
		missed.Value += ", the last " + ago(now, sum.LastRefused)
		c.Advice = append(c.Advice, "What was not delivered is not sent there again: labcourier's log names each message. The last reason: "+ended(sum.RefusedReason))
	}
	c.Facts = []fact{
		{Name: "Address", Value: address(v.URL)}, state,
		{Name: "Last message", Value: ago(now, sum.LastDelivered), Time: sum.LastDelivered.RFC3339()},
		{Name: "Delivered", Value: many(sum.Delivered, "message")}, missed, signIn(v.Auth, now),
	}
	if v.Auth.Reason != "" {
		c.Facts = append(c.Facts, fact{Name: "Because", Value: ended(capital(v.Auth.Reason))})
	}
	return c
}

// shadowSum is what the second server has of all analyzers, and whose.
func shadowSum(s Snapshot) (sum Shadow, who []string) {
	for _, a := range s.Analyzers {
		if a.Shadow == nil {
			continue
		}
		who = append(who, clean(a.Name))
		sum.Delivered += a.Shadow.Delivered
		sum.Refused += a.Shadow.Refused
		if a.Shadow.LastDelivered.After(sum.LastDelivered.Time) {
			sum.LastDelivered = a.Shadow.LastDelivered
		}
		if a.Shadow.Refused > 0 && !a.Shadow.LastRefused.Before(sum.LastRefused.Time) {
			sum.LastRefused, sum.RefusedReason = a.Shadow.LastRefused, a.Shadow.RefusedReason
		}
	}
	return sum, who
}

// shadowLine is the second server in a line of the table.
func shadowLine(s Snapshot) string {
	sum, _ := shadowSum(s)
	line := "delivered " + grouped(sum.Delivered) + ", not delivered " + grouped(sum.Refused) + ", last " + ago(s.now(), sum.LastDelivered)
	if s.Shadow.WaitingReason != "" {
		line = "waiting: " + s.Shadow.WaitingReason + "; " + line
	}
	return line
}
