package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

const (
	// defaultHeapHeadroom has the garbage collected a quarter as often as Go would: the
	// gateway needs 10 to 15 MB itself.
	defaultHeapHeadroom = 48 << 20
	// leastHeapHeadroom is to find a size whose unit was forgotten.
	leastHeapHeadroom = 1 << 20
	mostHeapHeadroom  = 1 << 40
)

// checkHeapHeadroom checks App.HeapHeadroom.
func checkHeapHeadroom(configured *int64) error {
	if configured == nil || *configured == 0 || *configured >= leastHeapHeadroom && *configured <= mostHeapHeadroom {
		return nil
	}
	return fmt.Errorf("heap_headroom of %d bytes: it is a size from 1MiB to 1TiB, like 48MiB, or 0 to collect garbage as Go does by default", *configured)
}

// heapHeadroom is how much the heap may grow until it is collected; 0 leaves that to Go.
func (a *App) heapHeadroom() int64 {
	if a.HeapHeadroom == nil {
		return defaultHeapHeadroom
	}
	return *a.HeapHeadroom
}

func (a *App) parseHeapHeadroom(d *caddyfile.Dispenser) error {
	if a.HeapHeadroom != nil {
		return d.Err("heap_headroom is given twice")
	}
	var text string
	if !d.AllArgs(&text) {
		return d.Err("heap_headroom takes one size, like 48MiB, or 0")
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size > mostHeapHeadroom {
		return d.Errf("heap_headroom %q is not a size up to 1TiB, like 48MiB, nor 0", text)
	}
	bytes := int64(size)
	if err := checkHeapHeadroom(&bytes); err != nil {
		return d.WrapErr(err)
	}
	a.HeapHeadroom = &bytes
	return nil
}
