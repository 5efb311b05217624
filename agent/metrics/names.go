package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/labcourier/labcourier/agent/status"
)

func buildInfo() *prometheus.Desc {
	return prometheus.NewDesc("labcourier_build_info", "Always 1; the version is in the label.", []string{"version"}, nil)
}

func readyInfo() *prometheus.Desc {
	return prometheus.NewDesc("labcourier_ready", "1 while every listener is open and the spool accepts.", nil, nil)
}

func authInfo() *prometheus.Desc {
	return prometheus.NewDesc("labcourier_auth_method_info", "Always 1; how the agent signs in now is in the label.", []string{"method"}, nil)
}

func waitingInfo() *prometheus.Desc {
	return prometheus.NewDesc("labcourier_server_waiting", "1 while deliveries to the server wait for this cause.", []string{"cause"}, nil)
}

func driverEvents() *prometheus.Desc {
	return prometheus.NewDesc("labcourier_analyzer_driver_events_total",
		"What the driver of the analyzer counts, by name, since the agent started.", []string{"analyzer", "driver", "event"}, nil)
}

func folderFiles() *prometheus.Desc {
	return prometheus.NewDesc("labcourier_analyzer_folder_files",
		"Files that lie in the analyzer's folder, by state: waiting is all of them, the others say why some stay.", []string{"analyzer", "driver", "state"}, nil)
}

func newCollector(source status.Source) *collector {
	return &collector{source: source, agent: agentMetrics(), analyzer: analyzerMetrics()}
}

func agentMetrics() []metric[status.Snapshot] {
	type snap = status.Snapshot
	return []metric[snap]{
		gauge("start_timestamp_seconds", "When the agent started.", nil, func(s snap) float64 { return at(s.Agent.Started) }),
		gauge("config_last_reload_successful", "1 unless the last reload of the configuration was refused.", nil, func(s snap) float64 { return flag(!s.Config.Refused) }),
		gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded.", nil, func(s snap) float64 { return at(s.Config.Loaded) }),
		gauge("config_restart_needed", "1 while the configuration says what takes effect at the next start only.", nil, func(s snap) float64 { return flag(len(s.Config.RestartNeeded) > 0) }),
		gauge("server_reachable", "1 while the FHIR server answers.", nil, func(s snap) float64 { return flag(s.Server.Reachable) }),
		gauge("server_last_success_timestamp_seconds", "When the server last took something.", nil, func(s snap) float64 { return at(s.Server.LastSuccess) }),
		gauge("server_rate_limit", "The server's own limit, in its units; 0 where it says nothing.", nil, func(s snap) float64 { return float64(s.Server.RateLimit.Limit) }),
		gauge("server_rate_limit_remaining", "What is left of server_rate_limit.", nil, func(s snap) float64 { return float64(s.Server.RateLimit.Remaining) }),
		gauge("auth_fallback", "1 while basic is used in the place of OAuth2.", nil, func(s snap) float64 { return flag(s.Server.Auth.Fallback) }),
		gauge("auth_token_expires_timestamp_seconds", "When the access token in use ends.", nil, func(s snap) float64 { return at(s.Server.Auth.TokenExpires) }),
		gauge("spool_accepting", "1 while new messages are stored and acknowledged.", nil, func(s snap) float64 { return flag(s.Spool.Accepting) }),
		gauge("spool_warning", "1 while the spool warns of something that will stop it, such as a disk that fills.", nil, func(s snap) float64 { return flag(s.Spool.Warning != "") }),
		gauge("spool_file_bytes", "Size of the spool's file.", nil, func(s snap) float64 { return float64(s.Spool.Bytes) }),
		gauge("spool_disk_free_bytes", "Free space on the spool's disk.", nil, func(s snap) float64 { return float64(s.Spool.DiskFree) }),
	}
}

func analyzerMetrics() []metric[status.Analyzer] {
	type an = status.Analyzer
	labels := []string{"analyzer", "driver"}
	return []metric[an]{
		gauge("analyzer_connected", "1 while the line is open or the analyzer is connected.", labels, func(a an) float64 { return flag(a.Link == status.LinkConnected) }),
		gauge("analyzer_link_down", "1 while the link cannot be opened.", labels, func(a an) float64 { return flag(a.Link == status.LinkDown) }),
		gauge("analyzer_last_byte_timestamp_seconds", "When the last byte came.", labels, func(a an) float64 { return at(a.LastByte) }),
		gauge("analyzer_last_message_timestamp_seconds", "When the last message was acknowledged.", labels, func(a an) float64 { return at(a.LastMessage) }),
		counter("analyzer_messages_acknowledged", "Messages stored and acknowledged since the agent started.", labels, func(a an) float64 { return float64(a.Acknowledged) }),
		counter("analyzer_messages_refused", "Messages refused since the agent started.", labels, func(a an) float64 { return float64(a.Refused) }),
		counter("analyzer_messages_broken", "Messages that ended before they were whole since the agent started.", labels, func(a an) float64 { return float64(a.Broken) }),
		counter("analyzer_messages_duplicate", "Messages that the analyzer sent again, ever.", labels, func(a an) float64 { return float64(a.Duplicates) }),
		counter("analyzer_messages_delivered", "Messages delivered, ever.", labels, func(a an) float64 { return float64(a.Delivered) }),
		gauge("analyzer_messages_queued", "Messages that wait for delivery.", labels, func(a an) float64 { return float64(a.Queued) }),
		gauge("analyzer_messages_parked", "Messages that wait for a person.", labels, func(a an) float64 { return float64(a.Parked) }),
		gauge("analyzer_oldest_queued_seconds", "Age of the oldest message that waits for delivery; 0 while none does.", labels, func(a an) float64 { return float64(a.OldestWaiting) }),
		gauge("analyzer_silent_seconds", "For how long it has sent nothing, where that is longer than its habit; 0 where it is not.", labels, func(a an) float64 { return float64(a.Silent) }),
	}
}
