package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/usage"
)

// runtimeMetrics are what the runtime of a configuration counts itself.
type runtimeMetrics struct{ runtime *runtime }

var (
	holdsMetric    = prometheus.NewDesc("faregate_holds", "Requests that credit is held for now.", nil, nil)
	drainsMetric   = prometheus.NewDesc("faregate_drains", "Answers that are read on now though their clients have left.", nil, nil)
	waitingMetric  = prometheus.NewDesc("faregate_holds_waiting", "Requests that wait for credit now.", nil, nil)
	accountsMetric = prometheus.NewDesc("faregate_accounts_in_memory", "Accounts that the ledger serves out of memory now.", nil, nil)
	nodesMetric    = prometheus.NewDesc("faregate_nodes", "Gateways with a lease on the store.", nil, nil)
	commitsMetric  = prometheus.NewDesc("faregate_commits_total", "Durable group commits, by whether they succeeded.", []string{"outcome"}, nil)
	recordsMetric  = prometheus.NewDesc("faregate_committed_records_total", "Records in successful commits.", nil, nil)
	overrunsMetric = prometheus.NewDesc("faregate_overruns_total", "Requests that cost more than was held for them, by what made them and who paid.", []string{"feature", "paid_by"}, nil)
	doubtsMetric   = prometheus.NewDesc("faregate_doubtful_usage_total", "Answers whose usage did not make sense, by what was wrong with it.", []string{"doubt"}, nil)
	eventsMetric   = prometheus.NewDesc("faregate_events_dropped_total", "Events that were not told, as their handlers were too slow.", nil, nil)
	inFlightMetric = prometheus.NewDesc("faregate_provider_in_flight", "Requests that run at a provider now.", []string{"provider"}, nil)
	queueMetric    = prometheus.NewDesc("faregate_provider_waiting", "Requests that wait for one of a provider's keys now.", []string{"provider"}, nil)
	coolingMetric  = prometheus.NewDesc("faregate_provider_cool_downs", "Addresses and keys of a provider, and keys for a model, that are left alone now.", []string{"provider"}, nil)
	silentMetric   = prometheus.NewDesc("faregate_store_up", "Whether the store answered when it was last asked.", nil, nil)
)

// Describe implements prometheus.Collector.
func (runtimeMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, metric := range []*prometheus.Desc{
		holdsMetric, drainsMetric, waitingMetric, accountsMetric, nodesMetric, commitsMetric, recordsMetric, overrunsMetric, doubtsMetric, silentMetric,
		eventsMetric, inFlightMetric, queueMetric, coolingMetric,
	} {
		to <- metric
	}
}

// Collect implements prometheus.Collector.
func (m runtimeMetrics) Collect(to chan<- prometheus.Metric) {
	holds, figures, ok := m.runtime.figures()
	if !ok {
		return
	}
	gauge := func(metric *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(metric, prometheus.GaugeValue, float64(value), labels...)
	}
	counter := func(metric *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(metric, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(holdsMetric, int64(holds))
	gauge(drainsMetric, int64(m.runtime.drains.number()))
	gauge(waitingMetric, figures.Waiting)
	gauge(accountsMetric, int64(figures.Wallets))
	gauge(nodesMetric, figures.Nodes)
	counter(commitsMetric, figures.Commits, "durable")
	counter(commitsMetric, figures.Failures, "failed")
	counter(recordsMetric, figures.Settlements)
	up := int64(1)
	if m.runtime.silent.Load() {
		up = 0
	}
	gauge(silentMetric, up)
	counter(eventsMetric, m.runtime.notices.dropped.Load())
	for name, provider := range standingOf(m.runtime.health.View()) {
		gauge(inFlightMetric, provider.inFlight, name)
		gauge(queueMetric, provider.waiting, name)
		gauge(coolingMetric, provider.coolDowns, name)
	}
	for doubt := usage.DoubtNone + 1; int(doubt) < len(usage.Doubts); doubt++ {
		counter(doubtsMetric, m.runtime.doubts.count[doubt].Load(), doubt.String())
	}
	for i, name := range featureNames {
		counter(overrunsMetric, m.runtime.overruns.paid[i].Load(), name, "account")
		counter(overrunsMetric, m.runtime.overruns.short[i].Load(), name, "operator")
	}
}

// providerStanding is how a provider does now.
type providerStanding struct{ inFlight, waiting, coolDowns int64 }

// standingOf sums up what is known of each provider.
func standingOf(view upstream.View) map[string]providerStanding {
	byName := make(map[string]providerStanding)
	for _, key := range view.Keys {
		sum := byName[key.Provider]
		sum.inFlight += key.Running
		sum.waiting += key.Waiting
		if key.Refused {
			sum.coolDowns++
		}
		byName[key.Provider] = sum
	}
	for _, coolDown := range view.CoolDowns {
		if !coolDown.Recovered {
			sum := byName[coolDown.Provider]
			sum.coolDowns++
			byName[coolDown.Provider] = sum
		}
	}
	return byName
}

// Interface guards
var _ prometheus.Collector = runtimeMetrics{}
