// Package faregate is the plugin as xcaddy sees it:
//
//	xcaddy build --with github.com/faregate/faregate
//
// It registers the Caddy modules of caddymodule and holds nothing itself.
package faregate

import (
	// Registers the app, the handlers, the transport and the commands.
	_ "github.com/faregate/faregate/caddymodule"
)
