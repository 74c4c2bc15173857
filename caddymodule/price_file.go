package caddymodule

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/price"
)

// catalogues is the present catalogue, which is made anew when the prices change.
// A request keeps the one that it began with.
type catalogues struct {
	of      func(*price.Book) (*upstream.Catalogue, error)
	present atomic.Pointer[upstream.Catalogue]
	// selector is the present catalogue's, once the simulators have addresses.
	selector atomic.Pointer[upstream.Selector]
	choosing sync.Mutex // while the selector is replaced

	mutex     sync.Mutex
	stop      chan struct{} // nil before the prices are followed
	stopped   bool
	following sync.WaitGroup
}

// catalogue is the present one.
func (a *App) catalogue() *upstream.Catalogue { return a.catalogues.present.Load() }

// priceCatalogue makes the catalogue with the present prices.
func (a *App) priceCatalogue() error {
	catalogue, err := a.catalogues.of(a.prices.Book())
	if err != nil {
		return err
	}
	for _, name := range catalogue.Unpriced() {
		a.logger.Warn("a model has no price and is refused; add a price to it in the configuration", zap.String("model", name))
	}
	a.catalogues.present.Store(catalogue)
	return nil
}

// repriceSelector has requests planned with the present catalogue. The bounds of provider
// keys stay as they are, as another configuration's may be in force by now.
func (a *App) repriceSelector() {
	c := a.catalogues
	c.choosing.Lock()
	defer c.choosing.Unlock()
	c.selector.Store(c.selector.Load().Repriced(a.catalogue()))
}

// followPrices begins to follow the price file, if there is one, until
// stopFollowing is called.
func (a *App) followPrices() {
	if a.Prices == "" {
		return
	}
	c := a.catalogues
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped || c.stop != nil {
		return
	}
	c.stop = make(chan struct{})
	c.following.Go(func() {
		ticker := time.NewTicker(pollInterval)
		defer ticker.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-ticker.C:
				a.refreshPrices()
			}
		}
	})
}

func (c *catalogues) stopFollowing() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stop != nil && !c.stopped {
		close(c.stop)
		c.following.Wait()
	}
	c.stopped = true
}

// refreshPrices takes up a changed price file. One that cannot be used is logged,
// and changes nothing.
func (a *App) refreshPrices() {
	changed, err := a.prices.Refresh()
	if changed {
		if err = a.priceCatalogue(); err == nil {
			a.repriceSelector()
		}
	}
	switch {
	case err != nil:
		a.logger.Error("the price file has changed and cannot be used: mend it, caddy faregate prices check tells where", zap.String("file", a.Prices), zap.Error(err))
	case changed:
		a.logger.Info("other prices are in force", zap.String("file", a.Prices), zap.String("price_version", a.prices.Book().Version()))
	}
}
