package store_test

import (
	"path/filepath"
	"testing"

	"github.com/faregate/faregate/internal/store/storetest"
)

// TestVouchersInOneFile redeems by stores that know nothing of each other, as the
// server and commands do.
func TestVouchersInOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faregate.db")
	storetest.Redeem(t, openFile(t, path), openOnly(t, path), openOnly(t, path))
}

// TestVouchersPostgres is the same on three nodes.
func TestVouchersPostgres(t *testing.T) {
	t.Parallel()
	first, address := openPostgres(t)
	storetest.Redeem(t, first, openAddress(t, address), openAddress(t, address))
}
