package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
)

// AdminUpstreams shows how the providers do, at GET /faregate/upstreams of Caddy's admin
// interface (module admin.api.faregate). It changes nothing and shows no secret.
type AdminUpstreams struct{}

// CaddyModule returns the Caddy module information.
func (AdminUpstreams) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.faregate",
		New: func() caddy.Module { return new(AdminUpstreams) },
	}
}

// Routes returns the one route.
func (a *AdminUpstreams) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/faregate/upstreams", Handler: caddy.AdminHandlerFunc(a.show)}}
}

// show looks for the app when it is asked: Caddy makes admin routers before apps, and
// keeps them when a configuration is replaced.
func (*AdminUpstreams) show(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errors.New("this shows how the providers do; it takes GET only")}
	}
	loaded, err := caddy.ActiveContext().AppIfConfigured("faregate")
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("the configuration that is in force has no faregate option")}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(healthForJSON(loaded.(*App).runtime.health.View()))
}

// upstreamJSON is a provider as the admin interface shows it.
type upstreamJSON struct {
	Provider string `json:"provider"`
	// CoolDown is there while all its keys are left alone, as it cannot be reached.
	CoolDown *coolDownJSON     `json:"cool_down,omitempty"`
	Keys     []upstreamKeyJSON `json:"keys"`
}

// upstreamKeyJSON is a key of a provider, named by its place in the configuration.
type upstreamKeyJSON struct {
	Key   string `json:"key"`
	State string `json:"state"` // ok or refused
	// Reason and Until are there for a refused key: why, and when it is tried again.
	Reason        string              `json:"reason,omitempty"`
	Until         *time.Time          `json:"until,omitempty"`
	InFlight      int64               `json:"in_flight"`
	InFlightLimit int64               `json:"in_flight_limit,omitempty"`
	Waiting       int64               `json:"waiting"`
	Models        []upstreamModelJSON `json:"models,omitempty"`
}

// upstreamModelJSON is a key for a model: of one that is well and says nothing of its rate
// limits there is none.
type upstreamModelJSON struct {
	Model     string         `json:"model"`
	CoolDown  *coolDownJSON  `json:"cool_down,omitempty"`
	RateLimit *rateLimitJSON `json:"rate_limit,omitempty"`
}

// coolDownJSON is a cool-down, or the time after one. Its state is cooling_down, due (a
// try is due, or runs) or recovering.
type coolDownJSON struct {
	State  string    `json:"state"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
	InRow  int       `json:"in_row"`
}

// rateLimitJSON is what the provider last said.
type rateLimitJSON struct {
	Requests *allowanceJSON `json:"requests,omitempty"`
	Tokens   *allowanceJSON `json:"tokens,omitempty"`
}

type allowanceJSON struct {
	Limit     int64      `json:"limit,omitempty"`
	Remaining int64      `json:"remaining"`
	Reset     *time.Time `json:"reset,omitempty"`
}

func healthForJSON(view upstream.View) []upstreamJSON {
	shown := []upstreamJSON{}
	find := func(provider, key, model string) *upstreamModelJSON {
		for i := range shown {
			if shown[i].Provider != provider {
				continue
			}
			for k := range shown[i].Keys {
				if one := &shown[i].Keys[k]; one.Key == key {
					for m := range one.Models {
						if one.Models[m].Model == model {
							return &one.Models[m]
						}
					}
					one.Models = append(one.Models, upstreamModelJSON{Model: model})
					return &one.Models[len(one.Models)-1]
				}
			}
		}
		return new(upstreamModelJSON)
	}
	for _, key := range view.Keys {
		if len(shown) == 0 || shown[len(shown)-1].Provider != key.Provider {
			shown = append(shown, upstreamJSON{Provider: key.Provider})
		}
		one := upstreamKeyJSON{Key: key.Key, State: "ok", InFlight: key.Running, InFlightLimit: key.Limit, Waiting: key.Waiting}
		if key.Refused {
			one.State, one.Reason, one.Until = "refused", key.Result.String(), utc(key.Until)
		}
		last := &shown[len(shown)-1]
		last.Keys = append(last.Keys, one)
	}
	for _, coolDown := range view.CoolDowns {
		told := coolDownForJSON(coolDown)
		if coolDown.Key != "" {
			find(coolDown.Provider, coolDown.Key, coolDown.Model).CoolDown = told
			continue
		}
		for i := range shown {
			if shown[i].Provider == coolDown.Provider {
				shown[i].CoolDown = told
			}
		}
	}
	for _, limits := range view.Limits {
		find(limits.Provider, limits.Key, limits.Model).RateLimit = &rateLimitJSON{
			Requests: allowanceForJSON(limits.Requests), Tokens: allowanceForJSON(limits.Tokens),
		}
	}
	return shown
}

func coolDownForJSON(c upstream.CoolDownView) *coolDownJSON {
	told := &coolDownJSON{State: "cooling_down", Reason: c.Result.String(), Until: c.Until.UTC(), InRow: c.InRow}
	switch {
	case c.Recovered:
		told.State = "recovering"
	case !c.Until.After(time.Now()):
		told.State = "due"
	}
	return told
}

func allowanceForJSON(a dialect.Allowance) *allowanceJSON {
	if !a.Known {
		return nil
	}
	told := &allowanceJSON{Limit: a.Limit, Remaining: a.Remaining}
	if !a.Reset.IsZero() {
		told.Reset = utc(a.Reset)
	}
	return told
}

func utc(at time.Time) *time.Time {
	at = at.UTC()
	return &at
}

// Interface guards
var _ caddy.AdminRouter = (*AdminUpstreams)(nil)
