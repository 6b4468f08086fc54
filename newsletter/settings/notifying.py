"""The settings of what the operator is told by itself."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from newsletter.settings.scheduling import Stretch


class NotifySettings(BaseModel):
    """Who is told when something fails while nobody looks."""

    model_config = ConfigDict(extra="forbid")

    address: str | None = Field(None, description="The operator's address: what failed, once a day for each cause.")
    after: Stretch = Field(
        timedelta(minutes=15), description="How long what may pass by itself (a source, the relay) has to last before."
    )
    silent_days: int = Field(
        5, ge=1, description="A source whose newest list is older than so many days is reported, too."
    )
    ping_url: SecretStr | None = Field(
        None, description="Asked whenever all went well: a service there can ring when that stops."
    )

    @field_validator("address")
    @classmethod
    def _one_address(cls, value: str | None) -> str | None:
        from email_validator import EmailNotValidError, validate_email

        try:
            return validate_email(value, check_deliverability=False).ascii_email if value else None
        except EmailNotValidError as fault:
            raise ValueError(f"is no address ({fault}); write it like name@example.org") from None

    @field_validator("ping_url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("is no web address; write it like https://ping.example.org/abc")
        return value
