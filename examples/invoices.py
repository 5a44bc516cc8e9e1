"""Join orders with the customers they name: two tables, a foreign key. Run it: `python -m examples.invoices`."""

from dataclasses import dataclass

from app.streams import Builder, Materialized, Topology
from app.streams.serdes import json, utf8
from app.streams.testing import Driver


@dataclass(frozen=True)
class Order:
    customer: str
    total: int


@dataclass(frozen=True)
class Customer:
    name: str


def invoices() -> Topology:
    builder = Builder()
    orders = builder.table("orders", key=utf8, value=json(Order))
    customers = builder.table("customers", key=utf8, value=json(Customer))
    invoice = orders.join(
        customers,
        lambda order, customer: f"{customer.name} owes {order.total}",
        Materialized("invoices", value=utf8),
        foreign_key=lambda _number, order: order.customer,
    )
    invoice.to_stream().to("invoices")
    return builder.build()


def main() -> None:
    with Driver(invoices()) as driver:
        orders = driver.input("orders", utf8, json(Order))
        customers = driver.input("customers", utf8, json(Customer))
        orders.send("order-1", Order("c7", 30))
        orders.send("order-2", Order("c7", 12))
        customers.send("c7", Customer("Ann"))
        customers.send("c7", Customer("Ann Lee"))
        orders.send("order-1", None)
        for number, text in driver.output("invoices", utf8, utf8).read_pairs():
            print(number, text)


if __name__ == "__main__":
    main()
