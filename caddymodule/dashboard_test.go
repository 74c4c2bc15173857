package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// dashboard is what the test reads of docs/grafana-dashboard.json.
type dashboard struct {
	UID        string
	Panels     []dashboardPanel
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
}

type dashboardPanel struct {
	ID          int
	Type, Title string
	Datasource  struct{ UID string }
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct {
		Expr       string
		Datasource struct{ UID string }
	}
}

var (
	// A series is followed by neither ( as a function is, nor a letter.
	seriesName = regexp.MustCompile(`\b(?:faregate|caddy|go|process)_[a-z0-9_]+\b`)
	labelNames = regexp.MustCompile(`([a-z_]+)\s*=~?"|\bby \(([a-z_, ]+)\)`)
)

// Every series and label that the dashboard asks for is there.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	content, err := os.ReadFile("../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, gatewayOptions{site: metricsSite, global: "metrics"})
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	exposed := string(g.callWith("/metrics", "", http.Header{}).body)
	known := make(map[string]map[string]bool) // the labels of each series
	collectors := []prometheus.Collector{runtimeMetrics{}}
	collectors = append(collectors, measured.collectors()...)
	described := regexp.MustCompile(`fqName: "([a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	for _, collector := range collectors {
		descriptions := make(chan *prometheus.Desc, 64)
		collector.Describe(descriptions)
		close(descriptions)
		for description := range descriptions {
			found := described.FindStringSubmatch(description.String())
			if found == nil {
				t.Fatalf("cannot read %s", description)
			}
			known[found[1]] = map[string]bool{"le": true}
			for label := range strings.SplitSeq(found[2], ",") {
				known[found[1]][label] = true
			}
		}
	}
	ids, titles, asked := make(map[int]bool), make(map[string]bool), make(map[string]bool)
	for _, panel := range d.Panels {
		if ids[panel.ID] || titles[panel.Title] || panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("panel %d, %q: taken, or beside the grid", panel.ID, panel.Title)
		}
		ids[panel.ID], titles[panel.Title] = true, true
		if panel.Type != "row" && (len(panel.Targets) == 0 || panel.Datasource.UID != "${datasource}") {
			t.Errorf("panel %q shows nothing, or not of the chosen data source", panel.Title)
		}
		for _, target := range panel.Targets {
			if strings.Count(target.Expr, "(") != strings.Count(target.Expr, ")") || strings.Count(target.Expr, "{") != strings.Count(target.Expr, "}") {
				t.Errorf("panel %q: %s", panel.Title, target.Expr)
			}
			names := seriesName.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("panel %q asks for no series: %s", panel.Title, target.Expr)
			}
			for _, name := range names {
				asked[name] = true
				base := strings.TrimSuffix(name, "_bucket")
				if !strings.HasPrefix(name, "faregate_") {
					if !strings.Contains(exposed, "\n"+name+"{") && !strings.Contains(exposed, "\n"+name+" ") {
						t.Errorf("panel %q asks for %s, which Caddy does not have", panel.Title, name)
					}
					continue
				}
				if known[base] == nil {
					t.Errorf("panel %q asks for %s, which there is not", panel.Title, name)
					continue
				}
				for _, found := range labelNames.FindAllStringSubmatch(target.Expr, -1) {
					for label := range strings.SplitSeq(found[1]+found[2], ",") {
						if label = strings.TrimSpace(label); !known[base][label] {
							t.Errorf("panel %q asks for %s by %q, which it does not have", panel.Title, name, label)
						}
					}
				}
			}
		}
	}
	for name := range known {
		if !asked[name] && !asked[name+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
	variables := make(map[string]string)
	for _, variable := range d.Templating.List {
		variables[variable.Name] = variable.Type
	}
	if d.UID == "" || variables["datasource"] != "datasource" || variables["model"] != "query" || variables["provider"] != "query" {
		t.Errorf("variables %v", variables)
	}
	document, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range known {
		if !strings.Contains(string(document), "`"+name+"`") {
			t.Errorf("docs/monitoring.md does not tell of %s", name)
		}
	}
}
