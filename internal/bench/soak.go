package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	soakRate = 100 // a second, of each workload
	// mostGrowth is by how much the memory of the last quarter may be above that of the
	// second one.
	mostGrowth = 1.10
)

// soak loads the gateway with documents, streams and clients that leave, and fails if
// its memory grows.
func soak(ctx context.Context, o options, screen io.Writer) (err error) {
	var mixed []*workload
	for _, w := range workloads() {
		switch w.name {
		case "small JSON", "100-event stream, anthropic", "disconnect storm":
			mixed = append(mixed, w)
		}
	}
	s, err := prepare(ctx, o, mixed...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.provider.close()) }()
	g, err := s.faregate(ctx)
	if err != nil {
		return err
	}
	defer g.kill()
	loading, stop := context.WithTimeout(ctx, o.soak)
	defer stop()
	var loads []*load
	var running sync.WaitGroup
	for _, w := range mixed {
		l := newLoad(w, g.address, s.secrets)
		loads = append(loads, l)
		running.Go(func() { l.open(loading, soakRate) })
	}
	const looks = 40
	var resident []float64
	fmt.Fprintln(screen, "  time   requests   resident MiB   goroutines   CPU µs a request")
	began, answered, cpu := time.Now(), int64(0), time.Duration(0)
	for i := range looks {
		time.Sleep(time.Until(began.Add(o.soak * time.Duration(i+1) / looks)))
		now, _, err := memory(g.pid())
		if err != nil {
			return err
		}
		used, err := cpuTime(g.pid())
		if err != nil {
			return err
		}
		values, err := g.metrics(ctx, "go_goroutines")
		if err != nil {
			return err
		}
		sum := int64(0)
		for _, l := range loads {
			sum += l.answered.Load()
		}
		resident = append(resident, float64(now)/(1<<20))
		fmt.Fprintf(screen, "%6.0fs %10d %14.0f %12.0f %18.0f\n", time.Since(began).Seconds(), sum, resident[i], values["go_goroutines"],
			micros(used-cpu)/float64(max(sum-answered, 1)))
		answered, cpu = sum, used
	}
	running.Wait()
	made := int64(0)
	for _, l := range loads {
		made += l.answered.Load()
		err = errors.Join(err, l.failed)
	}
	if err = errors.Join(err, g.stop()); err != nil {
		return err
	}
	before, after := mean(resident[looks/4:looks/2]), mean(resident[looks*3/4:])
	fmt.Fprintf(screen, "resident memory: %.0f MiB in the second quarter, %.0f MiB in the last\n", before, after)
	if after > mostGrowth*before {
		err = errors.New("the memory has grown")
	}
	return errors.Join(err, checkBooks(ctx, s.store, made))
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	return sum / float64(len(values))
}
