package ledger

import "context"

// Sweep lets tests look for idle accounts at the time of their own clock.
func (l *Ledger) Sweep(ctx context.Context) { l.sweep(ctx) }
