"""Pure: one copy made from end to end, as most senders make every copy: the reference for `render.compiled`.

Jinja, MJML and premailer run for this reader alone, and the standard library writes the MIME parts; nothing is marked,
spliced or encoded ahead.
"""

from datetime import datetime
from email.message import MIMEPart
from email.policy import SMTP

from newsletter.models import Format, Message, Pick, Subscriber
from newsletter.render.compiled import CompiledIssue, MailTemplates
from newsletter.render.fragments import Plain
from newsletter.render.view import reader_view


def plain_message_for(
    compiled: CompiledIssue,
    templates: MailTemplates,
    reader: Subscriber,
    choice: tuple[Pick, ...],
    *,
    date: datetime,
) -> Message:
    """Return the copy that `compiled.message_for` has to give, apart from how its lines are broken.

    Of `compiled` it takes the headers, and how many papers fit into the size budget.

    Raises:
        TemplateError: a template is wrong.
        ValueError: the reader's address cannot be mailed.
    """
    token = compiled.links.unsubscribe_token(reader.id or 0)
    view = compiled.view_of(compiled.copy(choice).arrangement)
    own = reader_view(reader.address, token, compiled.links, compiled.issue.key)
    body = MIMEPart(policy=SMTP)
    body.set_content(templates.issue_text(view, own, Plain()), cte="quoted-printable")
    if reader.preferences.format is Format.HTML:
        html = templates.issue_html(view, own, Plain())
        body.add_alternative(html, subtype="html", cte="quoted-printable")
    message_id, head = compiled.head(reader, token, date)
    content = compiled.common(view.subject) + head + body.as_bytes()
    return Message(message_id, compiled.letterhead.sender_address, reader.address, content)
