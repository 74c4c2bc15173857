package caddymodule

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"
)

// stopLeaving ends with the process what requests still keep open, also where the last
// configuration has no app of ours.
func stopLeaving(context.Context) {
	leaving.Lock()
	all := slices.Collect(maps.Values(leaving.byAddress))
	leaving.Unlock()
	var done sync.WaitGroup
	for _, rt := range all {
		done.Go(func() {
			if err := rt.stop(); err != nil {
				rt.logger.Load().Error("closing the store", zap.Error(err))
			}
		})
	}
	done.Wait()
}
