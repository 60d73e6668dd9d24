"""Who builds a desk's next generation: one process at a time, until it is done or taken for dead."""

from datetime import datetime, timedelta

from sqlalchemy import or_, update

from serve.storage.database import Database
from serve.storage.tables import desks


class Leases:
    """One lease for each desk that has adopted its articles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, desk: str, owner: str, now: datetime, span: timedelta) -> bool:
        """Take a desk's lease where it is free, has run out or is one's own; tell whether it was had."""
        free = or_(desks.c.lease_owner.is_(None), desks.c.lease_until <= now, desks.c.lease_owner == owner)
        values = {"lease_owner": owner, "lease_until": now + span}
        with self._database.writing() as connection:
            return connection.execute(update(desks).where(desks.c.desk == desk, free).values(values)).rowcount == 1

    def give_back(self, desk: str, owner: str) -> None:
        """End one's own lease; one that another has taken meanwhile stays."""
        values = {"lease_owner": None, "lease_until": None}
        with self._database.writing() as connection:
            connection.execute(update(desks).where(desks.c.desk == desk, desks.c.lease_owner == owner).values(values))
