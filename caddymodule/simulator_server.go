package caddymodule

import (
	"context"
	"fmt"
	"net/url"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/upstream"
)

// simulatorServers holds the running simulators by provider name, so that a reload
// does not cut the answers of the one that runs.
var simulatorServers = caddy.NewUsagePool()

// simulatorKey is what the gateway shows the simulator, as a provider needs a key.
const simulatorKey = "simulator"

// simulatorServer is the built-in simulator behind a loopback port, started only
// where the configuration asks for it.
type simulatorServer struct {
	name     string
	provider *upstream.Provider

	startOnce sync.Once
	startErr  error
	server    *simulator.Server
}

func openSimulator(name string) (*simulatorServer, error) {
	value, _, err := simulatorServers.LoadOrNew(name, func() (caddy.Destructor, error) {
		return &simulatorServer{name: name, provider: upstream.NewProvider(upstream.ProviderOptions{
			Name: name, Dialects: []dialect.Dialect{dialect.OpenAI, dialect.Anthropic, dialect.Google},
			Secrets: []string{simulatorKey}, Simulator: true, Private: true,
		})}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*simulatorServer), nil
}

// start listens on a free loopback port. Only the first call does anything.
func (s *simulatorServer) start() error {
	s.startOnce.Do(func() {
		s.server, s.startErr = simulator.Start("127.0.0.1:0", simulator.Options{
			Key: simulatorKey, Delay: simulator.DemoDelay,
		}, nil)
		if s.startErr != nil {
			s.startErr = fmt.Errorf("starting the simulator: %w", s.startErr)
			return
		}
		address, err := url.Parse(s.server.URL)
		if err != nil {
			s.startErr = fmt.Errorf("starting the simulator: %w", err)
			return
		}
		s.provider.SetBaseURL(address)
	})
	return s.startErr
}

// Destruct stops the simulator when no configuration asks for it any more.
func (s *simulatorServer) Destruct() error {
	if s.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	return s.server.Close(ctx)
}

// Interface guards
var _ caddy.Destructor = (*simulatorServer)(nil)
