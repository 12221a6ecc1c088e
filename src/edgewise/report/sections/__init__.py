"""The sections of the report, one file a subject; `edgewise.report.page` names them in order."""
