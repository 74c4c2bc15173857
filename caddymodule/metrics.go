package caddymodule

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faregate/faregate/metering"
)

// metrics count what requests were and cost, for Caddy's /metrics. No label tells an
// account, a key or an address. Every label's value is from a list of ours or a name of
// the catalogue, so that callers cannot make series of their own. Dollars are for
// graphs: the books are exact, a metric is a float.
type metrics struct {
	requests, refusals, failures *prometheus.CounterVec
	tokens, cost, shortfall      *prometheus.CounterVec
	duration, firstToken         *prometheus.HistogramVec
	settlement                   prometheus.Histogram
}

// measured are the metrics of the process: they go on when a configuration is replaced,
// though each has a registry of its own.
var measured = newMetrics()

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "faregate", Name: name, Help: help}, labels)
	}
	// From a cached first token to an hour of reasoning.
	seconds := []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "faregate", Name: name, Help: help, Buckets: seconds}, labels)
	}
	return &metrics{
		requests:   counter("requests_total", "Requests that were held for, by how they ended and on what ground they were charged.", "operation", "model", "provider", "status", "basis"),
		refusals:   counter("refusals_total", "Requests that were refused before a provider was asked, by error code.", "operation", "code"),
		failures:   counter("attempt_failures_total", "Attempts that a provider did not answer as asked.", "provider", "reason"),
		tokens:     counter("tokens_total", "Tokens that were charged.", "model", "provider", "class"),
		cost:       counter("cost_dollars_total", "What requests cost.", "model", "provider"),
		shortfall:  counter("shortfall_dollars_total", "What accounts could not pay of it.", "model", "provider"),
		duration:   histogram("request_duration_seconds", "From the request to its settlement.", "operation", "provider"),
		firstToken: histogram("time_to_first_token_seconds", "From the request to its first output.", "operation", "provider"),
		settlement: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "faregate", Name: "settlement_duration_seconds", Help: "How long a settlement took to become durable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
}

// register makes the metrics known to the registry of a configuration.
func (m *metrics) register(registry *prometheus.Registry, rt *runtime) error {
	for _, collector := range []prometheus.Collector{
		m.requests, m.refusals, m.failures, m.tokens, m.cost, m.shortfall, m.duration, m.firstToken, m.settlement, runtimeMetrics{rt},
	} {
		if err := registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}

// settled counts a request.
func (m *metrics) settled(record *metering.Record, took time.Duration) {
	m.settlement.Observe(took.Seconds())
	m.requests.WithLabelValues(record.Operation, record.ModelRequested, record.Provider, string(record.Status), string(record.Basis)).Inc()
	m.duration.WithLabelValues(record.Operation, record.Provider).Observe(record.Duration.Seconds())
	if record.TimeToFirstToken > 0 {
		m.firstToken.WithLabelValues(record.Operation, record.Provider).Observe(record.TimeToFirstToken.Seconds())
	}
	if record.Cost > 0 {
		m.cost.WithLabelValues(record.ModelRequested, record.Provider).Add(inDollars(record.Cost))
	}
	if record.Shortfall > 0 {
		m.shortfall.WithLabelValues(record.ModelRequested, record.Provider).Add(inDollars(record.Shortfall))
	}
	u := &record.Usage
	for _, class := range [...]struct {
		name  string
		count int64
	}{
		{"input", u.Input},
		{"cache_read", u.CacheRead + u.CacheReadAudio + u.CacheReadImage + u.CacheReadVideo},
		{"cache_write", u.CacheWrite + u.CacheWrite5m + u.CacheWrite1h},
		{"input_media", u.InputAudio + u.InputImage + u.InputVideo},
		{"output", u.Output - u.Reasoning},
		{"reasoning", u.Reasoning},
		{"output_media", u.OutputAudio + u.OutputImage + u.OutputVideo},
	} {
		if class.count > 0 {
			m.tokens.WithLabelValues(record.ModelRequested, record.Provider, class.name).Add(float64(class.count))
		}
	}
}

// inDollars is an amount for a graph.
func inDollars(amount metering.Nanos) float64 { return float64(amount) / float64(metering.Dollar) }

// refused counts a request that was answered without a provider.
func (m *metrics) refused(ex *Exchange) {
	if ex.problem != nil {
		m.refusals.WithLabelValues(ex.operation.Name, string(ex.problem.Code)).Inc()
	}
}

// failed counts an attempt that failed.
func (m *metrics) failed(provider string, failed *failure) {
	reason := failed.reason()
	if failed.err == nil && reason == "" {
		reason = "status " + strconv.Itoa(failed.status)
	}
	m.failures.WithLabelValues(provider, reason).Inc()
}

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
	silentMetric   = prometheus.NewDesc("faregate_store_up", "Whether the store answered when it was last asked.", nil, nil)
)

// Describe implements prometheus.Collector.
func (runtimeMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, metric := range []*prometheus.Desc{
		holdsMetric, drainsMetric, waitingMetric, accountsMetric, nodesMetric, commitsMetric, recordsMetric, overrunsMetric, silentMetric,
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
	gauge := func(metric *prometheus.Desc, value int64) {
		to <- prometheus.MustNewConstMetric(metric, prometheus.GaugeValue, float64(value))
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
	for i, name := range featureNames {
		counter(overrunsMetric, m.runtime.overruns.paid[i].Load(), name, "account")
		counter(overrunsMetric, m.runtime.overruns.short[i].Load(), name, "operator")
	}
}

// Interface guards
var _ prometheus.Collector = runtimeMetrics{}
