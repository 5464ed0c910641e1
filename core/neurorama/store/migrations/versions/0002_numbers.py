"""How a run ended, in numbers, so that lists and sweeps need not read its frames."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("runs", sa.Column("numbers", sa.Text, nullable=False, server_default="{}"))
