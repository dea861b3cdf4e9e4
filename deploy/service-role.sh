#!/bin/sh
# Run once by the database's image: the role of the service, which owns nothing. Its rights come from `audit migrate`.
set -eu
psql --set=ON_ERROR_STOP=1 --set=secret="$SERVICE_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE oncorespond_service LOGIN PASSWORD :'secret';
SQL
