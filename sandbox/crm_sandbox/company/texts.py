"""Sentences of the company's records. What stands in braces is filled in for each row."""

from __future__ import annotations

ACCOUNT_NOTES = (
    "Prefers one invoice a quarter.",
    "Buys through the head office; talk to purchasing first.",
    "Long-standing customer. Reference visits are possible.",
    "New management since spring, open for a fresh start.",
    "Price-sensitive. Competes two suppliers in every tender.",
    "Wants deliveries before 10 in the morning.",
    "Growing fast and hiring. Review the volume every half year.",
    "Payment was late twice last year.",
)
CONTACT_NOTES = (
    "Decides together with finance.",
    "Best reached before noon.",
    "Met at the trade fair in spring.",
    "Prefers mail over calls.",
    "Knows our products well from an earlier employer.",
    "Out of office on Fridays.",
)
LEAD_NOTES = (
    "Asked for a call back next week.",
    "Downloaded the price list and the case study.",
    "Came to our stand and asked for a demo.",
    "Compares us with two other suppliers.",
    "Contract with the present supplier ends this year.",
    "Was recommended by a customer.",
)
NEEDS = (
    "Replace equipment that is out of warranty.",
    "Open a new site and equip it before the season.",
    "Cut the time that an order takes by a third.",
    "One supplier instead of three.",
    "Train new staff on both shifts.",
)
SITUATIONS = (
    "Works with spreadsheets and paper lists today.",
    "Has a contract with another supplier until the end of the year.",
    "Budget is approved, the choice is open.",
    "Bought from us before, for another site.",
)
SOLUTIONS = (
    "{offer} in two deliveries, with installation.",
    "{offer} with a service contract for three years.",
    "{offer} after a pilot of six weeks.",
    "{offer} at the framework price.",
)
WON_REASONS = (
    "Signed after the pilot.",
    "Best offer on delivery time.",
    "Extended the framework agreement.",
    "The reference visit convinced them.",
)
LOST_REASONS = (
    "The budget was cut.",
    "A competitor was cheaper.",
    "The project was put off until next year.",
    "They stay with their present supplier.",
)
TASKS = (
    ("Send the proposal for {what}", "Proposal"),
    ("Prepare the demo for {who}", "Demo"),
    ("Follow up on {what}", "Follow-up"),
    ("Check the delivery date for {what}", "Delivery"),
    ("Ask {who} for the order number", "Order"),
    ("Send the price list to {who}", "Proposal"),
    ("Update the forecast for {what}", "Forecast"),
    ("Get the contract for {what} signed off", "Contract"),
    ("Thank {who} for the meeting", "Follow-up"),
    ("Clear up the open invoice with {who}", "Invoice"),
)
"""Subjects of tasks with their categories."""
TASK_NOTES = (
    "Include the volume discount.",
    "Use the figures of the last quarter.",
    "Ask the back office for the template.",
    "By mail, with a copy to the manager.",
)
CALLS = (
    "Call {who} about {what}",
    "Ask {who} how the pilot goes",
    "Discuss the offer with {who}",
    "Introduce ourselves to {who}",
    "Agree on the next steps with {who}",
    "Arrange a visit with {who}",
    "{who}: question on delivery",
    "{who}: question on an invoice",
)
CALL_NOTES = (
    "Friendly talk. Wants an offer this week.",
    "Not the right person; purchasing decides.",
    "Will discuss it internally and come back to us.",
    "Asked for a lower price. Agreed to check.",
    "Happy with the last delivery.",
)
MEETINGS = (
    "Demo for {company}",
    "Kick-off with {company}",
    "Contract talk with {company}",
    "Yearly review with {company}",
    "Visit at {company}",
    "Presentation of {what}",
)
NOTES = (
    ("Call summary", "Spoke with {who}. They expect our proposal and compare it with one other supplier."),
    ("Meeting notes", "Met {who}. Main points: delivery time, training of staff, price of support."),
    ("Requirements", "{who} needs delivery in two parts and an invoice for each site."),
    ("Next steps", "Send the revised offer to {who}, then agree on a date for the demo."),
    ("Credit check", "No objections. The limit can be raised after two more orders."),
    ("Competition", "A local supplier is cheaper by about a tenth, but does not offer on-site service."),
    ("Feedback", "{who} was happy with the installation and would be a reference."),
    ("Contract", "Framework agreement runs until the end of next year. Notice period three months."),
)
"""Titles and texts of notes."""
