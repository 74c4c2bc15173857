// Command caddy is ./caddy as the tests build it where the built one is missing or
// older than the sources: Caddy with its standard modules and Faregate, as xcaddy
// makes it.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/faregate/faregate"
)

func main() { caddycmd.Main() }
