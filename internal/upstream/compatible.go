package upstream

import (
	"slices"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/usage"
)

// Compatibility is another dialect beside a provider's own, for some operations.
type Compatibility struct {
	Dialect dialect.Dialect
	// Path is where it is, behind the base address with its version.
	Path string
	// Operations are what can be asked for in it, by name.
	Operations []string
	Profile    usage.Profile
}

func (c *Compatibility) serves(d dialect.Dialect, operation string) bool {
	return d == c.Dialect && slices.Contains(c.Operations, operation)
}
