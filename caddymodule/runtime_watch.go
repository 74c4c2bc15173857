package caddymodule

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
)

// askPatience is how long the store may take to say what has changed before it counts
// as silent. A machine that is busy with something else can make it take a second or two.
const askPatience = 3 * time.Second

// watch tells the caches what other processes have changed in the store.
func (rt *runtime) watch(ctx context.Context, after int64) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changes, err := rt.changes(ctx, after)
		if err != nil {
			if ctx.Err() == nil && !rt.silent.Swap(true) {
				rt.logger.Load().Error("the store does not answer: new requests are refused, and changes made elsewhere are not noticed", zap.Error(err))
			}
			continue
		}
		if rt.silent.Swap(false) {
			rt.logger.Load().Info("the store answers again")
		}
		for _, change := range changes {
			switch change.Kind {
			case store.KindKey:
				rt.verifier.Forget(change.ID)
			case store.KindAccount:
				rt.verifier.ForgetAccount(change.ID)
			case store.KindWallet:
				rt.ledger.Refresh(change.ID)
				rt.spending.changed(change.ID)
			case store.KindRecall:
				rt.ledger.Recall(change.ID)
			}
			after = change.Sequence
		}
	}
}

func (rt *runtime) changes(ctx context.Context, after int64) ([]store.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	return rt.store.Changes(ctx, after)
}

const noRoomText = "there is no room left on the store's disk: what runs is still settled, new requests are refused until there is room"

// keepRoom tells when the disk is full, and has the ballast made again when it is not.
func (rt *runtime) keepRoom(ctx context.Context) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	full := !rt.store.HasRoom()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// One that was given up is told of before it is made again.
		if !full && !rt.store.HasRoom() {
			full = true
			rt.logger.Load().Error(noRoomText)
		}
		err := rt.store.KeepRoom()
		switch {
		case err != nil && !full:
			full = true
			rt.logger.Load().Error(noRoomText, zap.Error(err))
		case err == nil && full:
			full = false
			rt.logger.Load().Info("there is room on the store's disk again; new requests are served")
		}
	}
}

// errSilent says that the store did not answer when it was last asked.
var errSilent = errors.New("the store does not answer")

// ready is auth.ErrUnavailable while no request shall begin: what is held in memory
// could be promised, but not be settled.
func (rt *runtime) ready() error {
	switch {
	case rt.silent.Load():
		return errors.Join(auth.ErrUnavailable, errSilent)
	case !rt.store.HasRoom():
		return errors.Join(auth.ErrUnavailable, store.ErrFull)
	}
	return nil
}
