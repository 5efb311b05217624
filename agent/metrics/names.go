package metrics

import "github.com/labcourier/labcourier/agent/status"

func agentMetrics() []metric[status.Snapshot] {
	type snap = status.Snapshot
	return []metric[snap]{
		gauge("start_timestamp_seconds", "When the agent started.", func(s snap) float64 { return at(s.Agent.Started) }),
		gauge("config_last_reload_successful", "1 unless the last reload of the configuration was refused.", func(s snap) float64 { return flag(!s.Config.Refused) }),
		gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded.", func(s snap) float64 { return at(s.Config.Loaded) }),
		counter("config_reloads", "Reloads that were asked for since the agent started.", func(s snap) float64 { return float64(s.Config.Reloads) }),
		counter("config_reloads_refused", "Reloads that were refused since the agent started.", func(s snap) float64 { return float64(s.Config.ReloadsRefused) }),
		gauge("config_restart_needed", "1 while the configuration says what takes effect at the next start only.", func(s snap) float64 { return flag(len(s.Config.RestartNeeded) > 0) }),
		gauge("server_reachable", "1 while the FHIR server answers.", func(s snap) float64 { return flag(s.Server.Reachable) }),
		gauge("server_last_success_timestamp_seconds", "When the server last took something.", func(s snap) float64 { return at(s.Server.LastSuccess) }),
		gauge("server_rate_limit", "The server's own limit, in its units; 0 where it says nothing.", func(s snap) float64 { return float64(s.Server.RateLimit.Limit) }),
		gauge("server_rate_limit_remaining", "What is left of server_rate_limit.", func(s snap) float64 { return float64(s.Server.RateLimit.Remaining) }),
		gauge("auth_fallback", "1 while basic is used in the place of OAuth2.", func(s snap) float64 { return flag(s.Server.Auth.Fallback) }),
		gauge("auth_token_expires_timestamp_seconds", "When the access token in use ends.", func(s snap) float64 { return at(s.Server.Auth.TokenExpires) }),
		gauge("spool_accepting", "1 while new messages are stored and acknowledged.", func(s snap) float64 { return flag(s.Spool.Accepting) }),
		gauge("spool_warning", "1 while the spool warns of something that will stop it, such as a disk that fills.", func(s snap) float64 { return flag(s.Spool.Warning != "") }),
		gauge("spool_file_bytes", "Size of the spool's file.", func(s snap) float64 { return float64(s.Spool.Bytes) }),
		gauge("spool_disk_free_bytes", "Free space on the spool's disk.", func(s snap) float64 { return float64(s.Spool.DiskFree) }),
	}
}

func analyzerMetrics() []metric[status.Analyzer] {
	type an = status.Analyzer
	return []metric[an]{
		gauge("analyzer_connected", "1 while the line is open or the analyzer is connected.", func(a an) float64 { return flag(a.Link == status.LinkConnected) }),
		gauge("analyzer_link_down", "1 while the link cannot be opened.", func(a an) float64 { return flag(a.Link == status.LinkDown) }),
		gauge("analyzer_last_byte_timestamp_seconds", "When the last byte came.", func(a an) float64 { return at(a.LastByte) }),
		gauge("analyzer_last_message_timestamp_seconds", "When the last message was acknowledged.", func(a an) float64 { return at(a.LastMessage) }),
		counter("analyzer_messages_acknowledged", "Messages stored and acknowledged since the agent started.", func(a an) float64 { return float64(a.Acknowledged) }),
		counter("analyzer_messages_refused", "Messages refused since the agent started.", func(a an) float64 { return float64(a.Refused) }),
		counter("analyzer_messages_broken", "Messages that ended before they were whole since the agent started.", func(a an) float64 { return float64(a.Broken) }),
		counter("analyzer_messages_duplicate", "Messages that the analyzer sent again, ever.", func(a an) float64 { return float64(a.Duplicates) }),
		counter("analyzer_messages_delivered", "Messages delivered, ever.", func(a an) float64 { return float64(a.Delivered) }),
		gauge("analyzer_messages_queued", "Messages that wait for delivery.", func(a an) float64 { return float64(a.Queued) }),
		gauge("analyzer_messages_parked", "Messages that wait for a person.", func(a an) float64 { return float64(a.Parked) }),
		gauge("analyzer_oldest_queued_seconds", "Age of the oldest message that waits for delivery; 0 while none does.", func(a an) float64 { return float64(a.OldestWaiting) }),
		gauge("analyzer_silent_seconds", "For how long it has sent nothing, where that is longer than its habit; 0 where it is not.", func(a an) float64 { return float64(a.Silent) }),
	}
}
