// In this order: what comes later wins.
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './app/app.css';
