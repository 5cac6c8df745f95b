#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The metrics, with a real Prometheus: the format, the alerts, every expression of the dashboard, and what a
# scrape of 1,000 backends costs.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PORT=9464
CALLS=20
MANY=1000


scrape() {
	lab_in client curl -sS --max-time 20 "http://$LAB_BALANCER:$PORT/metrics" "$@"
}

prometheus() {
	lab_in client curl -sS --max-time 20 -G "http://127.0.0.1:9090/api/v1/$1" "${@:2}"
}

# value EXPRESSION: prints the value of the first time series
value() {
	prometheus query --data-urlencode "query=$1" | jq -er '.data.result[0].value[1]'
}

# has_value EXPRESSION VALUE
has_value() {
	[ "$(value "$1")" = "$2" ]
}

# has_data EXPRESSION: does the expression return at least one number?
has_data() {
	prometheus query --data-urlencode "query=$1" |
		jq -e '.status == "success" and ([.data.result[].value[1] | select(. != "NaN")] | length > 0)'
}

# all_ok: does Prometheus evaluate every rule?
all_ok() {
	prometheus rules | jq -e '[.data.groups[].rules[].health] | length > 10 and all(. == "ok")'
}

# cpu_us: processor time of the daemon's threads so far
cpu_us() {
	local pid
	pid=$(lab_ctl --json status | jq .pid)
	lab_in balancer sh -c "cat /proc/$pid/task/*/schedstat" | awk '{ sum += $1 } END { printf "%d", sum / 1000 }'
}

# --- the files of monitoring/
check "the alerts are valid" promtool check rules monitoring/alerts.yml
check "the scrape example is valid" promtool check config monitoring/prometheus.yml
check "each alert fires for its fault, and only then" promtool test rules monitoring/alerts_test.yml
alerts=$(sed -n 's/^ *- alert: //p' monitoring/alerts.yml | sort)
is "each alert has a case in which it fires, and a case in which it does not" \
	"$(sed -n 's/^ *alertname: //p' monitoring/alerts_test.yml | sort)" "$(printf '%s\n' "$alerts" "$alerts" | sort)"
is "each alert has a row in docs/troubleshoot.md" \
	"$(sed -n 's/^| `\(Sipxdp[A-Za-z]*\)`.*/\1/p' docs/troubleshoot.md | sort)" "$alerts"

# --- a balancer with calls
lab_open
lab_flat 2
LAB_POOL="probe: {type: options, interval: 1s, timeout: 500ms}"
LAB_SECTIONS="metrics: {listen: '$LAB_BALANCER:$PORT'}"$'\n'"guard: {}" lab_config dsr
sip_answer uas1 px1 "$LAB_VIP"
sip_answer uas2 px2 "$LAB_VIP"
lab_balance
scrape > "$LAB_DIR/metrics"
check "promtool finds no fault in the metrics" promtool check metrics < "$LAB_DIR/metrics"
like "the format is that of Prometheus" "$(scrape -D - -o /dev/null)" '^Content-Type: text/plain; version=0.0.4'
like "... and OpenMetrics for a client that asks for it" \
	"$(scrape -D - -o /dev/null -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5')" \
	'^Content-Type: application/openmetrics-text; version=1.0.0'

cp monitoring/alerts.yml "$LAB_DIR"
cat > "$LAB_DIR/prometheus.yml" <<- YAML
	global: {scrape_interval: 500ms, evaluation_interval: 500ms}
	rule_files: [alerts.yml]
	scrape_configs: [{job_name: sipxdp, static_configs: [{targets: ["$LAB_BALANCER:$PORT"]}]}]
YAML
lab_start prometheus client prometheus --config.file "$LAB_DIR/prometheus.yml" --storage.tsdb.path "$LAB_DIR/tsdb" \
	--web.listen-address 127.0.0.1:9090
check "Prometheus reads the metrics as OpenMetrics" wait_for 30 has_value 'up{job="sipxdp"}' 1
check "... and evaluates the alerts" wait_for 10 all_ok
check "the interface is attached" wait_for 10 has_value 'sipxdp_interface_attached{interface="eth0"}' 1
check "two backends are up" wait_for 10 has_value 'sum(sipxdp_backend_state{state="up"})' 2
check "the sum of the shares is 1" wait_for 10 has_value 'sum(sipxdp_backend_share_ratio) > bool 0.999' 1

sip_client calls client "$LAB_CLIENT" call $CALLS 20
check "$CALLS calls succeed" lab_wait calls 60
stats=$(lab_ctl --json stats)
check "... Prometheus and sipxdp-ctl have the same number of packets" \
	wait_for 10 has_value 'sum(sipxdp_service_received_packets_total)' "$(jq '.services[0].packets' <<< "$stats")"
check "... at least three for each call" has_data "sum(sipxdp_backend_sent_packets_total) >= 3 * $CALLS"
check "... and the same number of bytes" has_value 'sum(sipxdp_service_received_bytes_total)' "$(jq '.services[0].bytes' <<< "$stats")"
check "Prometheus and sipxdp-ctl have the same number of requests" has_value \
	'sum(sipxdp_service_requests_total)' "$(jq '[.requests[].messages] | add // 0' <<< "$stats")"
invites=$({ sip_seen_by_sipp uas1 && sip_seen_by_sipp uas2; } | grep -c '^INVITE ')
check "the servers have received an INVITE for each call" test "$invites" -ge $CALLS
check "... these are the initial INVITEs of the service" has_value \
	'sum(sipxdp_service_requests_total{method="INVITE",dialog="initial"})' "$invites"
check "... and of the backends" has_value \
	'sum(sipxdp_backend_requests_total{method="INVITE",dialog="initial"})' "$invites"
check "... and the same number of requests to backends" has_value 'sum(sipxdp_backend_requests_total)' \
	"$(jq '[.backends[] | .initial_invite + .initial_register + .initial_other + .unknown + .in_dialog] | add' <<< "$stats")"
check "probes have a latency" wait_for 10 has_data 'sipxdp_backend_probe_latency_p95_seconds > 0'

while read -r expression; do
	expression=${expression//\$__rate_interval/10s}
	expression=${expression//\$instance/.+}
	check "dashboard: $expression" wait_for 15 has_data "$expression"
done < <(jq -r '.panels[].targets[].expr' monitoring/dashboard.json)

lab_stop uas2 KILL || true
check "a backend that dies has the state down" \
	wait_for 30 has_value 'sipxdp_backend_state{backend="px2",state="down"}' 1
check "... and its alert is pending" \
	wait_for 10 has_value 'ALERTS{alertname="SipxdpBackendDown",backend="px2"}' 1
check "... and failed probes" wait_for 10 has_data 'sipxdp_backend_probes_total{backend="px2",result="failed"} > 1'
lab_stop prometheus || true

# --- the cost of a scrape
lab_pools=$({
	echo "  - name: many"
	echo "    backends:"
	for ((i = 0; i < MANY; i++)); do
		echo "      - {name: b$i, address: 10.1.$((i / 250)).$((i % 250 + 1)), mac: '02:00:00:00:00:01'}"
	done
})
LAB_SECTIONS="$lab_pools"$'\n'"metrics: {listen: '$LAB_BALANCER:$PORT'}" lab_config dsr
check "a reload adds $MANY backends" lab_ctl reload
turn=$(lab_ctl --json status | jq .longest_turn_ms)
before=$(cpu_us)
for _ in {1..10}; do
	scrape -o "$LAB_DIR/metrics"
	sleep 0.3 # a page is rendered at most four times a second
done
after=$(cpu_us)
diag "a scrape of $MANY backends: $(wc -l < "$LAB_DIR/metrics") lines, $(((after - before) / 10)) us of processor time" \
	"with everything that the daemon does in 0.3 s"
is "the scrape contains every backend" "$(grep -c '^sipxdp_backend_weight{pool="many"' "$LAB_DIR/metrics")" $MANY
check "promtool finds no fault in the scrape" promtool check metrics < "$LAB_DIR/metrics"
diag "longest turn of the event loop: $turn ms before the scrapes, $(lab_ctl --json status | jq .longest_turn_ms) ms after them"
tap_end
