package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var sqlWord = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|WHERE|FROM|VALUES|ORDER BY|LIMIT|PRAGMA|VACUUM)\b`)

// sqlPieces are the local names that may be a piece of a statement, and why they can only
// be text of this package. A value never is: it goes by its number, as $1.
var sqlPieces = map[string]string{
	"limited_keys.go: condition":                   "one of two texts of its callers",
	"postgres_settle.go: strings.Join":             "numbers of parameters and types of columns",
	"postgres_settle.go: $%d::%s[]":                "a type of a column",
	"postgres_transaction.go: query":               "a statement of this package",
	"record_columns.go: strings.Join":              "names of columns",
	"records.go: strings.Join":                     "conditions out of this function",
	"sqlite_pending_insert.go: places":             "question marks",
	"sqlite_pending_insert.go: strings.Join":       "names of columns",
	"sqlite_pending_insert.go: strings.TrimSuffix": "question marks",
	"sqlite_settle.go: places":                     "question marks",
	"transfers.go: strings.Join":                   "conditions out of this function",
	"verify_transfers.go: strings.ReplaceAll":      "sides of transfers, all constants",
}

// No statement is put together from anything but text of this package: what comes from
// outside is a parameter of the statement and never a part of it.
func TestNoStatementIsMadeOfValues(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fileSet := token.NewFileSet()
	var parsed []*ast.File
	own := make(map[string]bool) // constants and variables of the package
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fileSet, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
		for _, declared := range file.Decls {
			if general, ok := declared.(*ast.GenDecl); ok {
				for _, spec := range general.Specs {
					if value, ok := spec.(*ast.ValueSpec); ok {
						for _, name := range value.Names {
							own[name.Name] = true
						}
					}
				}
			}
		}
	}
	statements := 0
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			binary, ok := n.(*ast.BinaryExpr)
			if !ok || binary.Op != token.ADD {
				return true
			}
			text, others := flatten(binary)
			if !sqlWord.MatchString(text) {
				return true
			}
			statements++
			for _, other := range others {
				at := fileSet.Position(other.Pos())
				if name := pieceName(other); !own[name] && sqlPieces[at.Filename+": "+name] == "" {
					t.Errorf("%s: %s is a part of a statement: pass it as a parameter", at, name)
				}
			}
			return false
		})
		// Sprintf puts numbers of parameters in, and nothing else.
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 || pieceName(call.Fun) != "fmt.Sprintf" {
				return true
			}
			format, _ := flatten(call.Args[0])
			at := fileSet.Position(call.Pos())
			if sqlPieces[at.Filename+": "+format] != "" {
				return true
			}
			if (sqlWord.MatchString(format) || strings.Contains(format, "$")) && strings.Contains(strings.ReplaceAll(format, "%d", ""), "%") {
				t.Errorf("%s: %q makes a statement of more than numbers", at, format)
			}
			return true
		})
	}
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			// A pattern that a user could put % and _ into reads the whole table.
			if text, ok := n.(*ast.BasicLit); ok && regexp.MustCompile(`LIKE\s*(\$|\?|\|\|)`).MatchString(text.Value) {
				t.Errorf("%s: a pattern is a parameter: escape it, and bound its length", fileSet.Position(n.Pos()))
			}
			return true
		})
	}
	if statements < 10 {
		t.Errorf("only %d statements were found: the test does not see them any more", statements)
	}
}

// flatten returns the literals of a concatenation, and its other operands.
func flatten(e ast.Expr) (text string, others []ast.Expr) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ = strconv.Unquote(e.Value)
		return text, nil
	case *ast.ParenExpr:
		return flatten(e.X)
	case *ast.BinaryExpr:
		left, leftOthers := flatten(e.X)
		right, rightOthers := flatten(e.Y)
		return left + " " + right, append(leftOthers, rightOthers...)
	}
	return "", []ast.Expr{e}
}

// pieceName is what an operand is called: a name, or the function that makes it.
func pieceName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return pieceName(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return pieceName(e.Fun)
	case *ast.IndexExpr:
		return pieceName(e.X)
	}
	return "?"
}
