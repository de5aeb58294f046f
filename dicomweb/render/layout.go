package render

// layout is the page of a report: no script, nothing from elsewhere.
const layout = `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; color: #111; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; border-bottom: 1px solid #ccc; } h3, h4, h5, h6 { font-size: 1rem; margin: 1rem 0 .2rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; padding-right: 1rem; vertical-align: top; }
section { margin: 0 0 0 .6rem; } ul { margin: .1rem 0; padding-left: 1.2rem; } .v { white-space: pre-line; }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<table>{{range .About}}
<tr><th>{{.Name}}</th><td>{{.Value}}</td></tr>{{end}}
</table>
{{template "items" .Root}}
</body>
</html>
{{define "items"}}{{range .Items}}{{if .Section}}
<section>{{if .Name}}{{if eq .Level 2}}<h2>{{.Name}}</h2>{{else if eq .Level 3}}<h3>{{.Name}}</h3>{{else}}<h4>{{.Name}}</h4>{{end}}{{end}}{{template "items" .}}</section>{{else if .Folded}}
<ul><li><details><summary>{{.Value}}</summary>{{template "items" .}}</details></li></ul>{{else}}
<ul><li>{{if .Name}}<b>{{.Name}}</b>{{if .Value}}: {{end}}{{end}}{{if .Link}}<a href="{{.Link}}">{{.Value}}</a>{{else}}<span class="v">{{.Value}}</span>{{end}}{{template "items" .}}</li></ul>{{end}}{{end}}{{end}}
`
