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
	attempts, coolDowns          *prometheus.CounterVec
	duration, firstToken         *prometheus.HistogramVec
	settlement                   prometheus.Histogram
	lockouts                     prometheus.Counter
	series                       table[called, *series]
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
		attempts:   counter("attempts_total", "Attempts to have a provider answer a request.", "provider"),
		failures:   counter("attempt_failures_total", "Attempts that a provider did not answer as asked.", "provider", "reason"),
		coolDowns:  counter("cool_downs_total", "Times that a provider, one of its keys, or a key for a model, was left alone for a while.", "provider", "reason"),
		tokens:     counter("tokens_total", "Tokens that were charged.", "model", "provider", "class"),
		cost:       counter("cost_dollars_total", "What requests cost.", "model", "provider"),
		shortfall:  counter("shortfall_dollars_total", "What accounts could not pay of it.", "model", "provider"),
		duration:   histogram("request_duration_seconds", "From the request to its settlement.", "operation", "provider"),
		firstToken: histogram("time_to_first_token_seconds", "From the request to its first output.", "operation", "provider"),
		lockouts: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "faregate", Name: "lockouts_total", Help: "Times that a client address was locked as it sent wrong keys.",
		}),
		settlement: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "faregate", Name: "settlement_duration_seconds", Help: "How long a settlement took to become durable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.requests, m.refusals, m.attempts, m.failures, m.coolDowns, m.tokens, m.cost, m.shortfall,
		m.duration, m.firstToken, m.settlement, m.lockouts, bodyMemoryMetric,
	}
}

// register makes the metrics known to the registry of a configuration.
func (m *metrics) register(registry *prometheus.Registry, rt *runtime) error {
	for _, collector := range append(m.collectors(), runtimeMetrics{rt}) {
		if err := registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}

// settled counts a request of a model by the name that the catalogue lists.
func (m *metrics) settled(record *metering.Record, model string, took time.Duration) {
	m.settlement.Observe(took.Seconds())
	of := m.series.get(called{record.Operation, model, record.Provider}, func() *series {
		return &series{
			duration:   m.duration.WithLabelValues(record.Operation, record.Provider),
			firstToken: m.firstToken.WithLabelValues(record.Operation, record.Provider),
		}
	})
	of.requests.get(ended{record.Status, record.Basis}, func() prometheus.Counter {
		return m.requests.WithLabelValues(record.Operation, model, record.Provider, string(record.Status), string(record.Basis))
	}).Inc()
	of.duration.Observe(record.Duration.Seconds())
	if record.TimeToFirstToken > 0 {
		of.firstToken.Observe(record.TimeToFirstToken.Seconds())
	}
	if record.Cost > 0 {
		of.cost.add(m.cost, inDollars(record.Cost), model, record.Provider)
	}
	if record.Shortfall > 0 {
		of.shortfall.add(m.shortfall, inDollars(record.Shortfall), model, record.Provider)
	}
	u := &record.Usage
	for class, count := range [classCount]int64{
		classInput:       u.Input,
		classCacheRead:   u.CacheRead + u.CacheReadAudio + u.CacheReadImage + u.CacheReadVideo,
		classCacheWrite:  u.CacheWrite + u.CacheWrite5m + u.CacheWrite1h,
		classInputMedia:  u.InputAudio + u.InputImage + u.InputVideo,
		classOutput:      u.Output - u.Reasoning,
		classReasoning:   u.Reasoning,
		classOutputMedia: u.OutputAudio + u.OutputImage + u.OutputVideo,
	} {
		if count > 0 {
			of.tokens[class].add(m.tokens, float64(count), model, record.Provider, classNames[class])
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
