package caddymodule

// forgetFailures makes all providers healthy, for tests that let one fail again and
// again and want it asked each time.
func (g *gateway) forgetFailures() {
	g.t.Helper()
	g.theRuntime().health.Forget()
}
